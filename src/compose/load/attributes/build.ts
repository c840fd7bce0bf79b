import { givenPairs, labels, listOf, object, texts, uniqueTexts, variables } from '../shapes/collections.ts';
import { extraHosts } from '../shapes/hosts.ts';
import { buildSecret } from '../shapes/mounts.ts';
import { sshKeys, ulimits } from '../shapes/resources.ts';
import { byteSize, contextPath, flag, text, textOrFlag } from '../shapes/scalars.ts';

/** The attributes of `build`, in the order Docker prints them. */
export const build = object(
  {
    context: contextPath,
    dockerfile: text,
    dockerfile_inline: text,
    entitlements: texts,
    args: variables,
    provenance: textOrFlag,
    sbom: textOrFlag,
    ssh: sshKeys,
    labels,
    cache_from: texts,
    cache_to: texts,
    no_cache: flag,
    additional_contexts: givenPairs(contextPath),
    pull: flag,
    extra_hosts: extraHosts,
    isolation: text,
    network: text,
    target: text,
    secrets: listOf(buildSecret),
    shm_size: byteSize,
    tags: uniqueTexts,
    ulimits,
    platforms: texts,
    privileged: flag,
  },
  { shorthand: 'context' },
);
