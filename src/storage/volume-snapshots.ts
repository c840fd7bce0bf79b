import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../stdx/errors.ts';
import { ConfinedRoot } from './confined.ts';
import type { VolumePaths } from './paths.ts';
import { removeTree } from './remove-tree.ts';
import { isVolumeName } from './volume-options.ts';
import type { WorkerPool } from './worker-pool.ts';

export interface VolumeSnapshot {
  name: string;
  createdMs: number;
}

/*
 * Snapshots of a volume are whole copies beside its data, and go and move with it (paths.ts). What is being made has a
 * name of its own until it is complete and on disk; whatever a kill leaves of that is removed at the next start.
 */

export function listVolumeSnapshots(paths: VolumePaths): VolumeSnapshot[] {
  if (!existsSync(paths.snapshots)) return [];
  return readdirSync(paths.snapshots)
    .filter(isVolumeName)
    .map(name => ({ name, createdMs: Math.floor(statSync(join(paths.snapshots, name)).mtimeMs) }))
    .sort((a, b) => a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1));
}

/** @throws EngineError `invalid` (the name), `conflict` (it exists) */
export async function makeVolumeSnapshot(
  paths: VolumePaths,
  snapshot: string,
  workers: WorkerPool,
): Promise<VolumeSnapshot> {
  if (!isVolumeName(snapshot)) {
    throw new EngineError(
      'invalid',
      `invalid snapshot name ${JSON.stringify(snapshot)}, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`,
    );
  }
  const place = join(paths.snapshots, snapshot);
  if (existsSync(place)) throw new EngineError('conflict', `snapshot ${snapshot} exists already`);
  mkdirSync(paths.snapshots, { recursive: true, mode: 0o700 });
  const making = join(paths.snapshots, beingMade);
  try {
    mkdirSync(join(making, '_data'), { recursive: true, mode: 0o755 });
    await copyVolumeData(paths.data, join(making, '_data'), workers);
    await workers.run('sync', making);
    renameSync(making, place);
  } finally {
    await removeTree(making, workers);
  }
  return { name: snapshot, createdMs: Math.floor(statSync(place).mtimeMs) };
}

/** @throws EngineError `notFound` */
export function volumeSnapshotData(paths: VolumePaths, snapshot: string): string {
  const data = join(paths.snapshots, snapshot, '_data');
  if (isVolumeName(snapshot) && existsSync(data)) return data;
  throw new EngineError('notFound', `no such snapshot: ${snapshot}`);
}

export async function removeVolumeSnapshot(
  paths: VolumePaths,
  snapshot: string,
  workers: WorkerPool,
): Promise<void> {
  volumeSnapshotData(paths, snapshot);
  const going = join(paths.snapshots, beingMade);
  renameSync(join(paths.snapshots, snapshot), going);
  await removeTree(going, workers);
}

/** Puts a snapshot's files in the place of the volume's, which nobody may use: the one or the other is there. */
export async function restoreVolumeSnapshot(
  paths: VolumePaths,
  snapshot: string,
  workers: WorkerPool,
  prepare: (directory: string) => void,
): Promise<void> {
  const source = volumeSnapshotData(paths, snapshot);
  try {
    mkdirSync(paths.restored, { mode: 0o755 });
    prepare(paths.restored);
    await copyVolumeData(source, paths.restored, workers);
    await workers.run('sync', paths.restored);
    renameSync(paths.data, paths.replaced);
    renameSync(paths.restored, paths.data);
  } finally {
    await settleVolumeDirectory(paths, workers);
  }
}

/**
 * After a restore, whole or cut off: the volume has data, and nothing else but snapshots.
 * @returns whether there was something to do
 */
export async function settleVolumeDirectory(paths: VolumePaths, workers: WorkerPool): Promise<boolean> {
  let settled = false;
  if (!existsSync(paths.data) && existsSync(paths.replaced)) renameSync(paths.replaced, paths.data);
  for (const path of [paths.restored, paths.replaced, join(paths.snapshots, beingMade)]) {
    if (!existsSync(path)) continue;
    await removeTree(path, workers);
    settled = true;
  }
  return settled;
}

/** Everything, with the directory's own owner and permissions. */
export async function copyVolumeData(source: string, target: string, workers: WorkerPool): Promise<void> {
  const from = await ConfinedRoot.open(source, workers);
  try {
    const to = await ConfinedRoot.open(target, workers);
    try {
      await to.copyTree({ from, source: '/', destination: '/' });
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
  const { uid, gid, mode } = statSync(source);
  chownSync(target, uid, gid);
  chmodSync(target, mode & 0o7777);
}

/** No volume name, so no snapshot's either. */
const beingMade = '.new';
