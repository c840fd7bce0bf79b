import { existsSync, lchownSync, lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { IdMappings } from '../../oci/id-mappings.ts';
import { EngineError, errnoOf, kindOf, messageOf, systemMessageOf, within } from '../../stdx/errors.ts';
import type { Undo } from '../../stdx/undo.ts';
import { requirePropagation } from '../../storage/mount-propagation.ts';
import { readRootFile, rootDirectoryExists } from '../../storage/root-files.ts';
import { showVolumePart } from '../../storage/subpaths.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerRecord, ResolvedMount } from './container.ts';
import { bindSourceExists } from './directory.ts';
import { fillVolume, type SeenRoot } from './fill-volumes.ts';
import { mountImage, unmountImages } from './image-mounts.ts';
import { type ResolvedUser, resolveUser } from './user.ts';
import { mappingsFor, rootOwner } from './user-namespace.ts';

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
  // Only of what an edit has added: all others were filled when the container was made.
  if (mount.copyUp) await fillVolume(context, seen, mount);
}

/**
 * Volumes that are empty get what the image has at their places as soon as the container is made, as in Docker: it
 * may never be started, only lend them to others.
 */
export async function fillVolumes(
  context: EngineContext,
  { id, config, hostConfig, mounts }: Pick<ContainerRecord, 'id' | 'config' | 'hostConfig' | 'mounts'>,
): Promise<void> {
  const empty = mounts.filter(mount => mount.copyUp && context.storage.volumes.mayBeEmpty(mount.name));
  for (const mount of mounts) mount.copyUp &&= empty.includes(mount);
  if (empty.length === 0) return;
  const mappings = mappingsFor(context, hostConfig);
  const { snapshots } = context.storage;
  const rootfs = snapshots.mount(id, { mapped: mappings !== undefined });
  try {
    await makeWorkingDirectory(context, { rootfs, mappings }, config.workingDir);
    for (const mount of empty) {
      await fillVolume(context, { rootfs, mappings }, mount).catch(error => {
        // Not `notFound`: clients take that for the image.
        throw new EngineError('internal', `failed to populate volume: ${messageOf(error)}`, { cause: error });
      });
    }
  } finally {
    snapshots.unmount(id);
  }
}

/** A volume's data may have been removed behind the daemon's back. @throws EngineError `internal`, in Docker's words */
export function requireSource(source: string): void {
  try {
    lstatSync(source);
  } catch (error) {
    throw new EngineError(
      'internal',
      `error evaluating symlinks from mount source ${JSON.stringify(source)}: ${systemMessageOf(error)}`,
    );
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
    // Not a link that leads nowhere.
    if (errnoOf(error) === 'EEXIST' && existsSync(path)) return first;
    throw error;
  }
}

/** All directories just made, from the first one down to the last. */
function giveTo({ uid, gid }: { uid: number; gid: number }, first: string, last: string): void {
  for (let path = last; path.startsWith(first); path = dirname(path)) lchownSync(path, uid, gid);
}
