import { isAbsolute, join } from 'node:path';
import { composeLabels, composeLabelsVersion } from './labels.ts';
import { imageReference } from './names.ts';
import type { Build, Project } from './project.ts';

/** What flags of `build` say for all targets. */
export interface BakeOptions {
  args: Readonly<Record<string, string>>;
  ssh: Readonly<Record<string, string>>;
  push: boolean;
  /** The targets are linted, not built. */
  check: boolean;
  pull: boolean;
  noCache: boolean;
  provenance?: string | undefined;
  sbom?: string | undefined;
}

/**
 * The file by which `buildx bake` builds the images of services, as docker compose writes it.
 * @param services those that have a `build`
 */
export function bakeFile(
  project: Project,
  services: readonly string[],
  options: BakeOptions,
): Record<string, unknown> {
  const targets = [...services].sort();
  return {
    group: { default: { targets: targets.map(targetName) } },
    target: Object.fromEntries(targets.map(name => [targetName(name), bakeTarget(project, name, options)])),
  };
}

/** Bake has other uses for dots. */
function targetName(service: string): string {
  return service.replaceAll('.', '_');
}

function bakeTarget(project: Project, name: string, options: BakeOptions): Record<string, unknown> {
  const { build = {}, platform, image } = project.services[name]!;
  const { context = '.', additional_contexts = {}, secrets = [], extra_hosts = {}, ulimits = {} } = build;
  const platforms = build.platforms ?? (platform === undefined ? [] : [platform]);
  const push = options.push && image !== undefined;
  const entitlements = [...(build.entitlements ?? []), ...(build.privileged ? ['security.insecure'] : [])];
  const args = Object.entries({ ...build.args, ...options.args }).filter(([, value]) => value !== null);
  const target: Record<string, unknown> = {
    context,
    contexts: mapped(additional_contexts, source =>
      source.startsWith('service:') ? `target:${targetName(source.slice('service:'.length))}` : source,
    ),
    dockerfile: dockerfileOf(build),
    'dockerfile-inline': build.dockerfile_inline,
    args: sorted(Object.fromEntries(args)),
    labels: sorted({ ...build.labels, ...buildLabels(project, name) }),
    tags: [...new Set([...(build.tags ?? []), imageReference(project, name)])],
    'cache-from': build.cache_from,
    'cache-to': build.cache_to,
    target: build.target,
    secret: secrets.map(({ source, target: id = source }) => {
      const { environment, file } = project.secrets?.[source] ?? {};
      return environment === undefined
        ? `id=${id},type=file,src=${file}`
        : `id=${id},type=env,env=${environment}`;
    }),
    ssh: Object.entries({ ...build.ssh, ...options.ssh }).map(([id, path]) => `${id}=${path ?? ''}`),
    platforms,
    pull: build.pull || options.pull,
    'no-cache': build.no_cache || options.noCache,
    network: build.network,
    'shm-size': build.shm_size,
    ulimits: Object.entries(ulimits).map(([key, limit]) =>
      typeof limit === 'number' ? `${key}=${limit}` : `${key}=${limit.soft}:${limit.hard}`,
    ),
    call: options.check ? 'lint' : undefined,
    entitlements,
    'extra-hosts': mapped(extra_hosts, addresses => addresses.join(',')),
    output: options.check ? [] : [outputOf(platforms, push)],
    attest: [
      ...attestation('provenance', options.provenance ?? build.provenance),
      ...attestation('sbom', options.sbom ?? build.sbom),
    ],
  };
  return Object.fromEntries(Object.entries(target).filter(([, value]) => !isEmpty(value)));
}

/** What an image that Compose builds is known by. */
export function buildLabels(project: Project, service: string): Record<string, string> {
  return {
    [composeLabels.project]: project.name,
    [composeLabels.service]: service,
    [composeLabels.version]: composeLabelsVersion,
  };
}

function dockerfileOf({
  context = '.',
  dockerfile = 'Dockerfile',
  dockerfile_inline,
}: Build): string | undefined {
  if (dockerfile_inline !== undefined) return undefined;
  return isAbsolute(context) && !isAbsolute(dockerfile) ? join(context, dockerfile) : dockerfile;
}

function outputOf(platforms: readonly string[], push: boolean): string {
  if (platforms.length > 1) return `type=image,push=${push}`;
  return push ? 'type=registry' : 'type=docker';
}

/** `true`, `false` or what it shall be: `mode=max`. */
function attestation(type: string, written: string | undefined): string[] {
  if (written === undefined || written === 'false') return [];
  return [written === 'true' ? `type=${type}` : `type=${type},${written}`];
}

function mapped<Value>(of: Record<string, Value>, change: (value: Value) => string): Record<string, string> {
  return sorted(Object.fromEntries(Object.entries(of).map(([key, value]) => [key, change(value)])));
}

function sorted<Value>(of: Record<string, Value>): Record<string, Value> {
  return Object.fromEntries(Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === false || value === '') return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
