import { statSync } from 'node:fs';
import { posix } from 'node:path';
import { errnoOf } from '../../stdx/errors.ts';
import type { ConfinedRoot } from '../../storage/confined.ts';
import { openVolumePart } from '../../storage/subpaths.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerRecord, ResolvedMount } from './container.ts';
import { mountImage } from './image-mounts.ts';
import { newId } from './names.ts';
import { prepareBind, requireSource } from './root.ts';
import { mappingsFor, presentMappings } from './user-namespace.ts';

/** A tree as a container sees it; `leave` is called once, when nothing reads or writes there any more. */
export interface EnteredRoot {
  root: ConfinedRoot;
  leave(): Promise<void>;
}

/** One place in a container. */
export interface EnteredPath extends EnteredRoot {
  /** Inside `root`; with a last `/.` where the caller's path has one. */
  path: string;
  /** Where `root` stands in the container: `/`, or a volume's target. */
  at: string;
  /** In the container, without symlinks. */
  real: string;
}

/**
 * Enters a container's tree for `docker cp`. A worker confined by chroot(2) does it: a running container is entered
 * through /proc/<pid>/root, with all its mounts; whatever it does to its links meanwhile, the kernel keeps us inside
 * (CVE-2018-15664). Of a container that does not run nothing is mounted but its root: a path that leads into a volume
 * is looked for in the volume itself.
 * @param follow the path's last element, too, may be a symlink
 */
export async function enterPath(
  context: EngineContext,
  record: ContainerRecord,
  path: string,
  { follow }: { follow: boolean },
): Promise<EnteredPath> {
  const entered = await enterRoot(context, record);
  try {
    const real = await realPath(entered.root, path, follow);
    const mount = entered.running ? undefined : mountAt(record, real);
    if (mount === undefined) return { ...entered, at: '/', real, path: asGiven(real, path) };
    const inVolume = await enterMount(context, record, mount, real);
    await entered.leave();
    return { ...inVolume, real, path: asGiven(inVolume.path, path) };
  } catch (error) {
    await entered.leave();
    throw error;
  }
}

/** The root alone, without volumes. */
export async function enterSnapshot(context: EngineContext, record: ContainerRecord): Promise<EnteredRoot> {
  const { id } = record;
  const mappings = presentMappings(context, record);
  context.visits.enter(id);
  const release = () =>
    context.locks.run(id, () => {
      // Whoever is in there still, a run or another visitor, needs the mount.
      if (context.visits.leave(id) && record.state.pid === 0) context.storage.snapshots.unmount(id);
    });
  try {
    const root = await context.locks.run(id, () =>
      context.storage.confine(
        context.storage.snapshots.mount(id, { mapped: mappings !== undefined }),
        mappings,
      ),
    );
    return {
      root,
      async leave() {
        await root.close();
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

async function enterRoot(
  context: EngineContext,
  record: ContainerRecord,
): Promise<EnteredRoot & { running: boolean }> {
  if (record.state.pid !== 0) {
    try {
      const mappings = presentMappings(context, record);
      const root = await context.storage.confine(`/proc/${record.state.pid}/root`, mappings);
      return { root, running: true, leave: () => root.close() };
    } catch (error) {
      // It has ended just now.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  return { ...(await enterSnapshot(context, record)), running: false };
}

async function realPath(root: ConfinedRoot, path: string, follow: boolean): Promise<string> {
  const normal = posix.normalize(`/${path}`);
  // A last `/` or `/.` goes through a link, as everywhere.
  if (follow || /\/\.?$/.test(path)) return root.resolve(normal);
  return posix.join(await root.resolve(posix.dirname(normal)), posix.basename(normal));
}

/** `dir/.` means the content of dir, and keeps its meaning. */
function asGiven(real: string, path: string): string {
  return path.endsWith('/.') ? `${posix.join(real, '/')}.` : real;
}

/** A tmpfs is empty while the container does not run: what the image has at its place is seen, as in Docker. */
function mountAt(record: ContainerRecord, real: string): ResolvedMount | undefined {
  const mount = record.mounts.findLast(({ target }) => real === target || real.startsWith(`${target}/`));
  return mount?.type === 'tmpfs' ? undefined : mount;
}

async function enterMount(
  context: EngineContext,
  record: ContainerRecord,
  mount: ResolvedMount,
  real: string,
): Promise<EnteredRoot & { path: string; at: string }> {
  if (mount.type === 'bind') await prepareBind(mount, mappingsFor(context, record.hostConfig));
  const { volumes } = context.storage;
  // Not the container's own claim on the volume: it may start and end meanwhile.
  const user = `cp:${record.id}:${newId()}`;
  const image = mount.type === 'image' ? await enterImage(context, record, mount) : undefined;
  const source = mount.type === 'volume' ? await volumes.mount(mount.name, user) : mount.source;
  const release = async () => {
    if (mount.type === 'volume') await volumes.unmount(mount.name, user);
    await image?.leave();
  };
  try {
    if (mount.type === 'volume') requireSource(source);
    if (mount.subpath !== undefined) {
      return await enterPart(context, mount, { volume: source, subpath: mount.subpath, real, release });
    }
    // A single file can be mounted, too: then it is looked for in its directory on the host.
    const isFile =
      mount.type === 'bind' && statSync(source, { throwIfNoEntry: false })?.isDirectory() === false;
    // A volume has the ids of the container on disk, what is bound those of the host.
    const mappings = mount.type === 'bind' ? mappingsFor(context, record.hostConfig) : undefined;
    const root = await context.storage.confine(isFile ? posix.dirname(source) : source, mappings);
    const leave = async () => {
      await root.close();
      await release();
    };
    if (isFile) return { root, leave, at: posix.dirname(mount.target), path: `/${posix.basename(source)}` };
    return { root, leave, at: mount.target, path: `/${posix.relative(mount.target, real)}` };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Mounts an image that a container has among its mounts, as long as somebody looks into it. */
async function enterImage(
  context: EngineContext,
  record: ContainerRecord,
  mount: ResolvedMount,
): Promise<{ leave(): Promise<void> }> {
  const visited = mount.image?.snapshot ?? '';
  context.visits.enter(visited);
  const mapped = mappingsFor(context, record.hostConfig) !== undefined;
  await context.locks.run(record.id, () => void mountImage(context, mount, { mapped }));
  return {
    leave: () =>
      context.locks.run(record.id, () => {
        if (context.visits.leave(visited) && record.state.pid === 0)
          context.storage.snapshots.unmount(visited);
      }),
  };
}

/** The part of a volume that a container sees: nobody gets to the rest of it, nor out of it. */
async function enterPart(
  context: EngineContext,
  { target }: ResolvedMount,
  { volume, subpath, real, release }: PartToEnter,
): Promise<EnteredRoot & { path: string; at: string }> {
  using part = openVolumePart(volume, subpath);
  // A single file is looked for in its directory, as one that is bound.
  using directory = openVolumePart(volume, part.isDirectory ? subpath : posix.dirname(subpath));
  const root = await context.storage.confine(directory.path);
  const leave = async () => {
    await root.close();
    await release();
  };
  if (!part.isDirectory)
    return { root, leave, at: posix.dirname(target), path: `/${posix.basename(subpath)}` };
  return { root, leave, at: target, path: `/${posix.relative(target, real)}` };
}

interface PartToEnter {
  volume: string;
  subpath: string;
  /** In the container. */
  real: string;
  release(): Promise<void>;
}
