import { posix } from 'node:path';
import type { Digest } from '../oci/digest.ts';
import type { ConfinedRoot } from '../storage/confined.ts';
import type { Layer } from '../storage/layers.ts';
import type { Storage } from '../storage/storage.ts';
import type { Owner } from './steps/owner.ts';
import { newSnapshotId } from './workspace.ts';

/** What `COPY --link` has copied, in a layer that knows nothing of what it will lie upon. */
export interface LinkedFiles {
  /** Absolute; all of the layer is there or on the way to it. */
  destination: string;
  /** Of a single file that was copied to a name of its own: what it was called, in case a directory has that name. */
  fileName?: string;
  /** Of directories on the way. */
  owner?: Owner;
}

interface LinkContext {
  storage: Storage;
  epochMs?: number | undefined;
  signal: AbortSignal;
}

/**
 * Puts such a layer on another. As it is, and then it is the same layer whatever it lies upon, unless that would change
 * what is there: a directory's owner or mode, a link on the way, a directory that has the name of the file. Then its
 * files are copied as COPY copies them without `--link`.
 */
export async function linkLayer(
  layer: Layer,
  files: LinkedFiles,
  below: { parent: Digest; owner: string },
  { storage, epochMs, signal }: LinkContext,
): Promise<Layer> {
  const { snapshots, layers } = storage;
  const { parent, owner } = below;
  const id = newSnapshotId();
  await snapshots.create(id, parent, { mountPoints: false });
  try {
    const target = await storage.confine(snapshots.mount(id));
    try {
      const linked = await storage.confine(layer.directory);
      try {
        if (!(await meetsOthers(linked, target, files.destination))) {
          const source = layers.tar(layer.chainId);
          return await layers.apply({ parent, diffId: layer.diffId, source, owner, signal });
        }
        await copyOnto(linked, target, files, signal);
      } finally {
        await linked.close();
      }
    } finally {
      await target.close();
    }
    snapshots.unmount(id);
    const times = epochMs === undefined ? undefined : { epochMs, change: 'latest' as const };
    return await snapshots.commit(id, { owner, times });
  } finally {
    await snapshots.remove(id);
  }
}

/** Whether the layer, laid upon the target, would change what is on the way to the destination, or there. */
async function meetsOthers(
  linked: ConfinedRoot,
  target: ConfinedRoot,
  destination: string,
): Promise<boolean> {
  const names = destination.split('/').filter(name => name !== '');
  for (let depth = 1; depth <= names.length; depth++) {
    const path = `/${names.slice(0, depth).join('/')}`;
    const there = await target.stat(path);
    if (there === undefined) return false;
    const ours = await linked.stat(path);
    if (ours?.type === 'file' && there.type === 'file') return false;
    if (ours?.type !== 'directory' || there.type !== 'directory') return true;
    const { uid, gid, permissions } = there;
    if (ours.uid !== uid || ours.gid !== gid || ours.permissions !== permissions) return true;
  }
  return false;
}

async function copyOnto(
  linked: ConfinedRoot,
  target: ConfinedRoot,
  { destination, fileName, owner }: LinkedFiles,
  signal: AbortSignal,
): Promise<void> {
  const resolved = await target.resolve(destination);
  const ours = await linked.stat(destination);
  if (ours === undefined) return;
  const there = await target.stat(resolved);
  const isFile = ours.type !== 'directory';
  const place =
    isFile && there?.type === 'directory' ? posix.join(resolved, fileName ?? ours.name) : resolved;
  // What is missing on the way is made as the layer has it.
  const onTheWay = await linked.stat(isFile ? posix.dirname(destination) : destination);
  await target.makeDirectory(isFile ? posix.dirname(place) : place, {
    owner,
    permissions: onTheWay?.permissions,
  });
  await target.copyTree({ from: linked, source: destination, destination: place, signal });
}
