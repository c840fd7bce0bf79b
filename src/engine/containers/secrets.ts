import { posix } from 'node:path';
import { hostIdOf, type IdMappings } from '../../oci/id-mappings.ts';
import type { RuntimeMount } from '../../oci/runtime-spec.ts';
import { EngineError } from '../../stdx/errors.ts';
import { parseSecretNotation } from '../../stdx/secret-notation.ts';
import type { Undo } from '../../stdx/undo.ts';
import { type SecretFile, writeSecretFiles } from '../../storage/secret-files.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerConfig, SecretRequest } from './config.ts';
import type { ContainerRecord } from './container.ts';
import { rootOwner } from './user-namespace.ts';

/** For clients that have no other way to say it: `--secret`s with `;` between them. */
export const secretsLabel = 'io.gantry.secrets';

const directory = '/run/secrets';
const defaultMode = 0o444;

/**
 * What a label of the caller's asks for. An image's own labels do not count: whoever made the image would choose what
 * he gets to see.
 * @param config as the caller sent it, before the image's is merged in
 * @throws invalid
 */
export function labelledSecrets({ labels }: Pick<ContainerConfig, 'labels'>): SecretRequest[] {
  const label = labels[secretsLabel];
  if (label === undefined) return [];
  return label
    .split(';')
    .filter(text => text.trim() !== '')
    .map(text => {
      const { source, target = '', uid = '', gid = '', mode } = parseSecretNotation(text.trim());
      return { source, target, uid, gid, mode };
    });
}

/**
 * Settles where the secrets of a container are seen, and by whom: below /run/secrets under their own names, as root's,
 * readable for all, unless the caller says otherwise.
 * @param mountTargets of the container's mounts
 * @throws invalid
 */
export function planSecrets(
  asked: readonly SecretRequest[],
  mountTargets: readonly string[],
): Required<SecretRequest>[] {
  const planned = asked.map(request => ({
    source: request.source,
    target: targetOf(request),
    uid: idOf('uid', request),
    gid: idOf('gid', request),
    mode: modeOf(request),
  }));
  requireDistinct(planned, mountTargets);
  return planned;
}

/** @throws invalid when there is none of that name: clients take "not found" for the image */
export function requireSecrets(context: EngineContext, secrets: readonly SecretRequest[]): void {
  for (const { source } of secrets) {
    if (context.storage.secrets.named(source) !== undefined) continue;
    throw new EngineError('invalid', `secret not found: ${source}`);
  }
}

/**
 * Writes what a container is to see, for the time it is being made.
 * @returns the mounts, and what is to be called when they are made
 * @throws notFound, or what became of the key
 */
export function prepareSecrets(
  context: EngineContext,
  record: ContainerRecord,
  mappings: IdMappings | undefined,
  undo: Undo,
): { mounts: RuntimeMount[]; release: () => void } {
  const secrets = record.hostConfig.secrets ?? [];
  if (secrets.length === 0) return { mounts: [], release: () => {} };
  const files = secrets.map(secret => fileOf(context, secret, mappings));
  const { paths, release } = writeSecretFiles(context.storage.paths, record.id, files, rootOwner(mappings));
  undo.push('the secrets', release);
  for (const { value } of files) value.fill(0);
  const mounts = secrets.map(
    ({ target }, index): RuntimeMount => ({
      destination: target,
      source: paths[index]!,
      type: 'bind',
      options: ['bind', 'rprivate', 'ro', 'nosuid', 'nodev', 'noexec'],
    }),
  );
  return { mounts, release };
}

function fileOf(
  context: EngineContext,
  { source, uid, gid, mode = defaultMode }: SecretRequest,
  mappings: IdMappings | undefined,
): SecretFile {
  const { secrets } = context.storage;
  const secret = secrets.named(source);
  if (secret === undefined) throw new EngineError('notFound', `secret not found: ${source}`);
  const host = (name: string, id: string, map: IdMappings['uid'] | undefined) => {
    const hostId = map === undefined ? Number(id) : hostIdOf(Number(id), map);
    if (hostId !== undefined) return hostId;
    throw new EngineError(
      'invalid',
      `secret ${source}: ${name} ${id} is not in the container's user namespace`,
    );
  };
  return {
    value: secrets.reveal(secret),
    uid: host('uid', uid, mappings?.uid),
    gid: host('gid', gid, mappings?.gid),
    mode,
  };
}

function targetOf({ source, target }: SecretRequest): string {
  const asked = target || source;
  const refuse = (why: string) =>
    new EngineError('invalid', `invalid secret target ${JSON.stringify(asked)}: ${why}`);
  if (asked.includes('\0') || asked.endsWith('/')) throw refuse('must be the path of a file');
  const path = posix.join(asked.startsWith('/') ? '/' : directory, asked);
  if (!asked.startsWith('/') && !path.startsWith(`${directory}/`))
    throw refuse(`must stay below ${directory}`);
  if (path === '/' || path === directory) throw refuse('must be the path of a file');
  if (/^\/(proc|sys)(\/|$)/.test(path)) throw refuse('must not be below /proc or /sys');
  return path;
}

function idOf(name: 'uid' | 'gid', request: SecretRequest): string {
  const text = request[name] || '0';
  // The highest id means "none".
  if (/^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff) return String(Number(text));
  throw new EngineError('invalid', `invalid secret ${name} ${JSON.stringify(text)}: must be a number`);
}

function modeOf({ mode = defaultMode }: SecretRequest): number {
  if (Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return mode;
  throw new EngineError('invalid', `invalid secret mode 0${mode.toString(8)}: must be between 0 and 0777`);
}

/** No two at one place, none below another one, which is a file, and none where a mount is. */
function requireDistinct(secrets: readonly SecretRequest[], mountTargets: readonly string[]): void {
  const targets = new Set<string>();
  for (const { source, target } of secrets) {
    if (targets.has(target)) {
      throw new EngineError('invalid', `duplicate secret target for ${source} not allowed`);
    }
    if (mountTargets.includes(target)) throw new EngineError('invalid', `Duplicate mount point: ${target}`);
    targets.add(target);
  }
  for (const target of targets) {
    const above = [...targets].find(other => target.startsWith(`${other}/`));
    if (above === undefined) continue;
    throw new EngineError('invalid', `invalid secret target "${target}": there is a secret at ${above}`);
  }
}
