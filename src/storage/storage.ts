import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { flock, spreadSubdirectories } from '../linux/files.ts';
import { listMounts, unmount } from '../linux/mount.ts';
import { hostIdOf, type IdMappings } from '../oci/id-mappings.ts';
import { EngineError } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import { BlobStore } from './blobs.ts';
import { ConfinedRoot } from './confined.ts';
import { Database } from './database.ts';
import { FileSystemSync } from './file-system-sync.ts';
import { IdMappedTrees, removeViews } from './id-mapped.ts';
import { LayerStore } from './layers.ts';
import { type StoragePaths, storagePaths } from './paths.ts';
import { removeSecretFiles } from './secret-files.ts';
import { SecretKey } from './secret-key.ts';
import { SecretStore } from './secrets.ts';
import { chooseSnapshotDriver, type SnapshotDriverName } from './snapshot-drivers.ts';
import { SnapshotStore } from './snapshots.ts';
import { removeSubpaths } from './subpaths.ts';
import { VolumeStore } from './volumes.ts';
import { diskError } from './worker/errors.ts';
import { WorkerPool } from './worker-pool.ts';

export interface Storage {
  /** Random, made with the data-root: the engine's id. */
  readonly id: string;
  readonly paths: StoragePaths;
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly layers: LayerStore;
  readonly snapshots: SnapshotStore;
  readonly volumes: VolumeStore;
  readonly secrets: SecretStore;
  readonly workers: WorkerPool;
  /** With userns-remap: how containers see what is on disk, unless they are told to see it as it is. */
  readonly mapped: IdMappedTrees | undefined;
  /** ConfinedRoot.open with the storage's workers. @param mappings of the user namespace whose ids count inside. */
  confine(root: string, mappings?: IdMappings): Promise<ConfinedRoot>;
  /** Leaves mounts as they are: containers go on without the daemon. */
  close(): Promise<void>;
}

export interface StorageOptions {
  dataRoot: string;
  execRoot: string;
  log: Log;
  /** Default: the best that works. */
  storageDriver?: SnapshotDriverName | undefined;
  /** userns-remap: the ids of containers, and the path of unshare(1). */
  remap?: { mappings: IdMappings; unshare: string };
}

/**
 * Opens the data-root, locks it, and removes what an earlier daemon left half-done.
 * @throws EngineError `conflict`: `a gantryd (pid N) is already using <data-root>`
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { dataRoot, execRoot, log, remap, storageDriver } = options;
  const paths = storagePaths(resolveDirectory(dataRoot, 0o710), resolveDirectory(execRoot, 0o711));
  makeDirectories(paths, (remap && hostIdOf(0, remap.mappings.gid)) ?? 0);
  const unlock = lock(paths);
  const workers = new WorkerPool();
  try {
    const expected = [paths.layers, paths.snapshots].some(path => readdirSync(path).length > 0);
    const database = Database.open(paths.database, { log, quarantine: paths.quarantine, expected });
    const blobs = new BlobStore({ database, paths, log });
    const sync = new FileSystemSync(workers, paths.dataRoot);
    const layers = new LayerStore({ database, paths, blobs, workers, sync, log });
    removeViews(paths);
    const mapped = remap && (await IdMappedTrees.open(paths, remap.mappings, remap.unshare));
    const driver = chooseSnapshotDriver(paths.snapshots, storageDriver, log);
    if (mapped && driver.name !== 'overlay2') {
      mapped.close();
      throw new EngineError(
        'unavailable',
        `userns-remap needs the storage driver overlay2, not ${driver.name}`,
      );
    }
    const snapshots = new SnapshotStore({ database, paths, layers, workers, log, mapped, driver });
    const volumes = new VolumeStore({ database, paths, workers, log });
    const secrets = new SecretStore({ database, key: new SecretKey(paths.secretsKey) });
    removeSecretFiles(paths);
    removeSubpaths(paths);
    if (database.damaged) {
      setAside(paths.layers, paths, layers.directories(), log);
      setAside(paths.snapshots, paths, snapshots.directories(), log);
    }
    const lost = layers.lost();
    snapshots.forgetOn(lost);
    layers.forget(lost);
    await snapshots.removeLeftovers();
    await layers.removeLeftovers();
    await volumes.removeLeftovers();
    let open = true;
    return {
      id: idOf(database),
      paths,
      database,
      blobs,
      layers,
      snapshots,
      volumes,
      secrets,
      workers,
      mapped,
      confine: (root, mappings) => ConfinedRoot.open(root, workers, mappings),
      async close() {
        if (!open) return;
        open = false;
        await workers.close();
        mapped?.close();
        database.close();
        unlock();
      },
    };
  } catch (error) {
    await workers.close();
    unlock();
    throw diskError(`opening ${dataRoot}`, error);
  }
}

/** Its path without symbolic links, which is how the kernel names what is mounted below it. Made if need be. */
function resolveDirectory(path: string, mode: number): string {
  mkdirSync(path, { recursive: true, mode });
  return realpathSync(path);
}

/**
 * Nobody but root gets in: what containers have is setuid for them, not for users of the host (CVE-2021-41091). With
 * userns-remap the containers' root may pass through, and nobody may look around.
 */
function makeDirectories(paths: StoragePaths, passingGid: number): void {
  chmodSync(paths.dataRoot, 0o710);
  chownSync(paths.dataRoot, 0, passingGid);
  for (const path of [paths.layers, paths.snapshots, paths.volumes]) makeTreesDirectory(path, 0o711);
  makeTreesDirectory(paths.buildContexts, 0o700);
  for (const path of [paths.blobs, paths.ingest]) makeDirectory(path, 0o700);
}

/** For unpacked layers and the like: many files, made and deleted all the time. */
function makeTreesDirectory(path: string, mode: number): void {
  makeDirectory(path, mode);
  spreadSubdirectories(path);
}

function makeDirectory(path: string, mode: number): void {
  if (existsSync(path)) return;
  mkdirSync(path, { mode });
  chmodSync(path, mode);
}

/** The lock goes with the descriptor, so also when the daemon is killed. */
function lock(paths: StoragePaths): () => void {
  const fd = openSync(paths.lock, constants.O_RDWR | constants.O_CREAT, 0o600);
  if (!flock(fd, 'exclusive')) {
    closeSync(fd);
    const pid = readFileSync(paths.lock, 'utf8').trim();
    throw new EngineError('conflict', `a gantryd (pid ${pid}) is already using ${paths.dataRoot}`);
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`, 0);
  return () => closeSync(fd);
}

/**
 * Without its row nobody knows which layer it is, or whose root: it goes where a person may still find it. Blobs are
 * known by their digest, and volumes by their name.
 */
function setAside(directory: string, paths: StoragePaths, known: ReadonlySet<string>, log: Log): void {
  const unknown = readdirSync(directory).filter(name => !known.has(name));
  if (unknown.length === 0) return;
  const stamp = new Date().toISOString().replaceAll(':', '-');
  const target = join(paths.quarantine, `${basename(directory)}-${stamp}`);
  mkdirSync(target, { recursive: true, mode: 0o700 });
  for (const name of unknown) {
    for (const { mountPoint } of listMounts(join(directory, name))) unmount(mountPoint, { detach: true });
    renameSync(join(directory, name), join(target, name));
  }
  log.error({ movedTo: target }, `${basename(directory)} whose rows are lost were moved away`);
}

function idOf(database: Database): string {
  database.migrate('storage', [
    'create table storage_facts (name text primary key, value text not null) strict',
  ]);
  database
    .prepare("insert into storage_facts (name, value) values ('id', ?) on conflict do nothing")
    .run(randomUUID());
  const row = database.prepare("select value from storage_facts where name = 'id'").get();
  return String(row!['value']);
}
