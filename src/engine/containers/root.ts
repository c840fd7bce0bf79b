import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { EngineError, errnoOf, kindOf, within } from '../../stdx/errors.ts';
import type { Undo } from '../../stdx/undo.ts';
import { requirePropagation } from '../../storage/mount-propagation.ts';
import { readRootFile, rootDirectoryExists } from '../../storage/root-files.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerRecord, ResolvedMount } from './container.ts';
import { bindSourceExists } from './directory.ts';
import { type ResolvedUser, resolveUser } from './user.ts';

/** Mounts what the container will see and finds out who it runs as. */
export async function prepareRoot(
  context: EngineContext,
  record: ContainerRecord,
  undo: Undo,
): Promise<{ rootfs: string; user: ResolvedUser }> {
  undo.push('the root', () => context.storage.snapshots.unmount(record.id));
  const rootfs = context.storage.snapshots.mount(record.id);
  const user = resolveUserIn(rootfs, record.config.user, record.hostConfig.groupAdd);
  await makeWorkingDirectory(context, rootfs, record.config.workingDir);
  for (const mount of record.mounts) await prepareMount(context, record, mount, rootfs, undo);
  return { rootfs, user };
}

/** @param spec as `-u` and USER take it; names are the root's own */
export function resolveUserIn(rootfs: string, spec: string, groupAdd: readonly string[]): ResolvedUser {
  return resolveUser(spec, groupAdd, {
    passwd: readRootFile(rootfs, '/etc/passwd') ?? '',
    group: readRootFile(rootfs, '/etc/group') ?? '',
  });
}

/** Docker makes a missing one, owned by root. */
async function makeWorkingDirectory(context: EngineContext, rootfs: string, path: string): Promise<void> {
  if (path === '' || path === '/' || rootDirectoryExists(rootfs, path)) return;
  const root = await context.storage.confine(rootfs);
  try {
    await root.makeDirectory(path);
  } catch (error) {
    if (kindOf(error) === 'invalid')
      throw new EngineError('invalid', `Cannot mkdir: ${path} is not a directory`);
    throw within(`making the working directory ${path}`, error);
  } finally {
    await root.close();
  }
}

async function prepareMount(
  context: EngineContext,
  record: ContainerRecord,
  mount: ResolvedMount,
  rootfs: string,
  undo: Undo,
): Promise<void> {
  if (mount.type === 'bind') {
    await prepareBind(mount);
    requirePropagation(mount.source, mount.propagation);
  }
  if (mount.type !== 'volume') return;
  const { volumes } = context.storage;
  undo.push(`volume ${mount.name}`, () => volumes.unmount(mount.name, record.id));
  mount.source = await volumes.mount(mount.name, record.id);
  context.events.publish('volume', 'mount', mount.name, {
    container: record.id,
    destination: mount.target,
    driver: mount.driver,
    propagation: mount.propagation,
    'read/write': String(mount.readWrite),
  });
  if (mount.copyUp && volumes.isEmpty(mount.name)) await copyUp(context, rootfs, mount);
}

/** A new volume begins with what the image has at its place, owner and mode of the directory included. */
async function copyUp(context: EngineContext, rootfs: string, mount: ResolvedMount): Promise<void> {
  if (!rootDirectoryExists(rootfs, mount.target)) return;
  const [from, to] = await Promise.all([
    context.storage.confine(rootfs),
    context.storage.confine(mount.source),
  ]);
  try {
    await to.copyTree({ from, source: mount.target, destination: '/' });
    const stat = await from.stat(mount.target, { follow: true });
    if (stat === undefined) return;
    chmodSync(mount.source, stat.permissions);
    chownSync(mount.source, stat.uid, stat.gid);
  } catch (error) {
    throw within(`copying the image's ${mount.target} into volume ${mount.name}`, error);
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

/** `-v` makes a missing directory on the host; one given by --mount must be there. */
async function prepareBind(mount: ResolvedMount): Promise<void> {
  if (await bindSourceExists(mount.source)) return;
  if (mount.fromMountFlag) {
    throw new EngineError(
      'invalid',
      `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
    );
  }
  try {
    mkdirSync(mount.source, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new EngineError(
      'invalid',
      `error while creating mount source path '${mount.source}': mkdir ${mount.source}: ${errnoOf(error)}`,
    );
  }
}
