import { chmodSync, chownSync, existsSync, lchownSync, lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { IdMappings } from '../../oci/id-mappings.ts';
import { EngineError, errnoOf, kindOf, systemMessageOf, within } from '../../stdx/errors.ts';
import type { Undo } from '../../stdx/undo.ts';
import { requirePropagation } from '../../storage/mount-propagation.ts';
import { readRootFile, rootDirectoryExists } from '../../storage/root-files.ts';
import { showVolumePart } from '../../storage/subpaths.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerRecord, ResolvedMount } from './container.ts';
import { bindSourceExists } from './directory.ts';
import { mountImage, unmountImages } from './image-mounts.ts';
import { type ResolvedUser, resolveUser } from './user.ts';
import { mappingsFor, rootOwner } from './user-namespace.ts';

/** A mounted root, and the user namespace that its owners are seen in. */
interface SeenRoot {
  rootfs: string;
  mappings: IdMappings | undefined;
}

/** What prepareRoot has found out and made. */
export interface PreparedRoot {
  rootfs: string;
  user: ResolvedUser;
  mappings: IdMappings | undefined;
  /** Where the runtime finds volumes that are not mounted as they are, by their targets; good until it has mounted them. */
  volumeViews: ReadonlyMap<string, string>;
  releaseViews(): void;
}

/** Mounts what the container will see and finds out who it runs as. */
export async function prepareRoot(
  context: EngineContext,
  record: ContainerRecord,
  undo: Undo,
): Promise<PreparedRoot> {
  const mappings = mappingsFor(context, record.hostConfig);
  undo.push('the root', () => context.storage.snapshots.unmount(record.id));
  const rootfs = context.storage.snapshots.mount(record.id, { mapped: mappings !== undefined });
  const user = resolveUserIn(rootfs, record.config.user, record.hostConfig.groupAdd);
  await makeWorkingDirectory(context, { rootfs, mappings }, record.config.workingDir);
  for (const mount of record.mounts) await prepareMount(context, record, mount, { rootfs, mappings }, undo);
  return { rootfs, user, mappings, ...showVolumes(context, record, mappings, undo) };
}

/** Of a volume only the part that was asked for; and with a user namespace, its root shall own what is root's there. */
function showVolumes(
  context: EngineContext,
  record: ContainerRecord,
  mappings: IdMappings | undefined,
  undo: Undo,
): Pick<PreparedRoot, 'volumeViews' | 'releaseViews'> {
  const volumeViews = new Map<string, string>();
  const releases: (() => void)[] = [];
  const releaseViews = () => {
    for (const release of releases.splice(0)) release();
  };
  undo.push('the views of volumes', releaseViews);
  for (const [index, { type, source, target, subpath }] of record.mounts.entries()) {
    if (type !== 'volume' && type !== 'image') continue;
    let path = source;
    const show = (view: { path: string; release: () => void }) => {
      releases.push(view.release);
      path = view.path;
    };
    const part = { volume: source, subpath: subpath ?? '' };
    if (subpath !== undefined) show(showVolumePart(context.storage.paths, `${record.id}-${index}`, part));
    // An image is mounted with its owners shifted.
    if (mappings !== undefined && type === 'volume') show(context.storage.mapped!.show(path));
    if (path !== source) volumeViews.set(target, path);
  }
  return { volumeViews, releaseViews };
}

/** @param spec as `-u` and USER take it; names are the root's own */
export function resolveUserIn(rootfs: string, spec: string, groupAdd: readonly string[]): ResolvedUser {
  return resolveUser(spec, groupAdd, {
    passwd: readRootFile(rootfs, '/etc/passwd') ?? '',
    group: readRootFile(rootfs, '/etc/group') ?? '',
  });
}

/** Docker makes a missing one, owned by root. */
async function makeWorkingDirectory(context: EngineContext, seen: SeenRoot, path: string): Promise<void> {
  if (path === '' || path === '/' || rootDirectoryExists(seen.rootfs, path)) return;
  const root = await context.storage.confine(seen.rootfs, seen.mappings);
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
  seen: SeenRoot,
  undo: Undo,
): Promise<void> {
  if (mount.type === 'bind') {
    await prepareBind(mount, seen.mappings);
    requirePropagation(mount.source, mount.propagation);
  }
  if (mount.type === 'image') {
    undo.push(`image ${mount.name}`, () => unmountImages(context, record));
    mount.source = mountImage(context, mount, { mapped: seen.mappings !== undefined }) ?? mount.source;
  }
  if (mount.type !== 'volume') return;
  const { volumes } = context.storage;
  undo.push(`volume ${mount.name}`, () => volumes.unmount(mount.name, record.id));
  mount.source = await volumes.mount(mount.name, record.id);
  requireSource(mount.source);
  context.events.publish('volume', 'mount', mount.name, {
    container: record.id,
    destination: mount.target,
    driver: mount.driver,
    propagation: mount.propagation,
    'read/write': String(mount.readWrite),
  });
  if (mount.copyUp && readdirSync(mount.source).length === 0) await copyUp(context, seen, mount);
  // Once, as in Docker: a volume that is empty at a later start has the owner and mode it was given meanwhile.
  mount.copyUp = false;
}

/** A volume's data may have been removed behind the daemon's back. @throws EngineError `internal`, in Docker's words */
function requireSource(source: string): void {
  try {
    lstatSync(source);
  } catch (error) {
    throw new EngineError(
      'internal',
      `error evaluating symlinks from mount source ${JSON.stringify(source)}: ${systemMessageOf(error)}`,
    );
  }
}

/** A new volume begins with what the image has at its place, owner and mode of the directory included. */
async function copyUp(context: EngineContext, seen: SeenRoot, mount: ResolvedMount): Promise<void> {
  if (!rootDirectoryExists(seen.rootfs, mount.target)) return;
  const [from, to] = await Promise.all([
    context.storage.confine(seen.rootfs, seen.mappings),
    context.storage.confine(mount.source),
  ]);
  try {
    await to.copyTree({ from, source: mount.target, destination: '/' });
    const stat = await from.stat(mount.target, { follow: true });
    if (stat === undefined) return;
    chmodSync(mount.source, stat.permissions);
    chownSync(mount.source, stat.uid, stat.gid);
    context.storage.volumes.shape(mount.name);
  } catch (error) {
    throw within(`copying the image's ${mount.target} into volume ${mount.name}`, error);
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}

/**
 * `-v` makes a missing directory on the host, also one that has gone since; what --mount gives must be there.
 * @throws EngineError `invalid`
 */
export async function prepareBind(mount: ResolvedMount, mappings: IdMappings | undefined): Promise<void> {
  if (await bindSourceExists(mount.source)) return;
  if (mount.fromMountFlag) {
    throw new EngineError(
      'invalid',
      `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`,
    );
  }
  try {
    const made = makeDirectories(mount.source);
    if (mappings !== undefined && made !== undefined) giveTo(rootOwner(mappings), made, mount.source);
  } catch (error) {
    throw new EngineError(
      'invalid',
      `error while creating mount source path '${mount.source}': ${systemMessageOf(error)}`,
    );
  }
}

/**
 * Not mkdir's `recursive`, which never ends where a directory says that it does not exist, as /proc does (Node 26).
 * @returns the first one that was missing
 */
function makeDirectories(path: string): string | undefined {
  const above = dirname(path);
  const first = above !== path && !existsSync(above) ? makeDirectories(above) : undefined;
  try {
    mkdirSync(path, { mode: 0o755 });
    return first ?? path;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return first;
    throw error;
  }
}

/** All directories just made, from the first one down to the last. */
function giveTo({ uid, gid }: { uid: number; gid: number }, first: string, last: string): void {
  for (let path = last; path.startsWith(first); path = dirname(path)) lchownSync(path, uid, gid);
}
