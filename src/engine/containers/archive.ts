import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import type { PathStat } from '../engine.ts';
import { publishContainerEvent } from './attributes.ts';
import type { ContainerRecord } from './container.ts';
import { type EnteredPath, enterPath, enterSnapshot } from './enter.ts';
import { resolveUser } from './user.ts';

/** `docker cp`: a file or directory of a container, in both directions, as a tar. */
export async function statPath(context: EngineContext, ref: string, path: string): Promise<PathStat> {
  const record = context.containers.get(ref);
  const entered = await enterPath(context, record, path, { follow: false });
  try {
    return await statIn(entered, ref, path);
  } finally {
    await entered.leave();
  }
}

export async function readArchive(
  context: EngineContext,
  ref: string,
  path: string,
): Promise<{ stat: PathStat; tar: Readable }> {
  const record = context.containers.get(ref);
  const entered = await enterPath(context, record, path, { follow: false });
  try {
    const stat = await statIn(entered, ref, path);
    publishContainerEvent(context, record, 'archive-path');
    const tar = entered.root.readTar(entered.path, { rename: stat.name });
    tar.once('close', () => void entered.leave());
    return { stat, tar };
  } catch (error) {
    await entered.leave();
    throw error;
  }
}

export async function writeArchive(
  context: EngineContext,
  ref: string,
  path: string,
  tar: Readable,
  options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
): Promise<void> {
  const record = context.containers.get(ref);
  const entered = await enterPath(context, record, path, { follow: true });
  try {
    const { root, path: destination, real } = entered;
    const stat = await root.stat(destination, { follow: true });
    if (stat === undefined) throw missing(ref, path);
    if (stat.type !== 'directory') throw new EngineError('invalid', 'extraction point is not a directory');
    refuseReadOnly(record, real);
    const owner = options.copyUidGid ? await ownerIn(context, record) : undefined;
    await root.unpackTar(destination, tar, { noOverwriteDirNonDir: options.noOverwriteDirNonDir, owner });
  } finally {
    await entered.leave();
  }
  publishContainerEvent(context, record, 'extract-to-dir');
}

/** A tar of the whole root, without volumes (`docker export`). */
export async function exportContainer(context: EngineContext, ref: string): Promise<Readable> {
  const record = context.containers.get(ref);
  const { root, leave } = await enterSnapshot(context, record);
  try {
    const tar = root.readTar('/', { rename: '' });
    tar.once('close', () => void leave());
    publishContainerEvent(context, record, 'export');
    return tar;
  } catch (error) {
    await leave();
    throw error;
  }
}

async function statIn(entered: EnteredPath, ref: string, path: string): Promise<PathStat> {
  const stat = await entered.root.stat(entered.path, { follow: false });
  if (stat === undefined || (path.endsWith('/') && stat.type === 'file')) throw missing(ref, path);
  const linkTarget = stat.linkTarget === '' ? '' : posix.join(entered.at, stat.linkTarget);
  return { ...stat, name: lastName(path), linkTarget };
}

/**
 * Whose files `docker cp -a` makes: the container's user's. A container without one keeps the owners of the archive,
 * and so does cp without -a (moby, daemon/archive_tarcopyoptions_unix.go). Names are the container's own; dockerd
 * looks them up on the host.
 */
async function ownerIn(
  context: EngineContext,
  record: ContainerRecord,
): Promise<{ uid: number; gid: number } | undefined> {
  if (record.config.user === '') return undefined;
  const { root, leave } = await enterPath(context, record, '/', { follow: true });
  try {
    const [passwd, group] = await Promise.all(
      ['/etc/passwd', '/etc/group'].map(async path => (await root.readFile(path))?.toString() ?? ''),
    );
    return resolveUser(record.config.user, [], { passwd: passwd!, group: group! });
  } finally {
    await leave();
  }
}

/** @param real without symlinks */
function refuseReadOnly(record: ContainerRecord, real: string): void {
  const mount = record.mounts.findLast(({ target }) => target === real || real.startsWith(`${target}/`));
  if (mount !== undefined && !mount.readWrite) {
    throw new EngineError('invalid', 'mounted volume is marked read-only');
  }
  if (mount === undefined && record.hostConfig.readonlyRootfs) {
    throw new EngineError('invalid', 'container rootfs is marked read-only');
  }
}

function missing(ref: string, path: string): EngineError {
  return new EngineError('notFound', `Could not find the file ${path} in container ${ref}`);
}

/** Go's filepath.Base: `dir/.` ends in `.`, and means the content of dir. */
function lastName(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) || '/';
}
