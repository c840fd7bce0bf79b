import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { bindMount, isMountPoint, overlayMount, unmount } from '../linux/mount.ts';
import type { Digest } from '../oci/digest.ts';
import { EngineError, errnoOf, within } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import { KeyedMutex } from '../stdx/mutex.ts';
import { ConfinedRoot } from './confined.ts';
import type { Database } from './database.ts';
import type { IdMappedTrees } from './id-mapped.ts';
import type { Layer, LayerStore } from './layers.ts';
import type { SnapshotPaths, StoragePaths } from './paths.ts';
import { removeTree } from './remove-tree.ts';
import type { SnapshotDriver } from './snapshot-drivers.ts';
import { diskError } from './worker/errors.ts';
import { holdsMountPoints, linksMountPoints } from './worker/mount-points.ts';
import type { LayerTimes } from './worker/settle-times.ts';
import type { UpperChange } from './worker/upper.ts';
import type { WorkerPool } from './worker-pool.ts';

/** `path` is absolute, as seen from inside. */
export type Change = UpperChange;

export interface Snapshot {
  readonly id: string;
  readonly parent?: Digest;
  readonly createdMs: number;
  /** Where it is mounted, or would be. */
  readonly path: string;
}

/**
 * Writable roots: one for each container and each build step; an overlay of its own upper directory over its layers,
 * which it holds (owner `snapshot:<id>`). Those made under the driver vfs are a copy of the layers in `merged`, and
 * stay so (`flat`) whatever the driver is later; their upper directory is derived whenever somebody reads it.
 */
export class SnapshotStore {
  readonly #driver: SnapshotDriver;
  readonly #deriving = new KeyedMutex();
  readonly #database: Database;
  readonly #paths: StoragePaths;
  readonly #layers: LayerStore;
  readonly #workers: WorkerPool;
  readonly #log: Log;
  readonly #mapped: IdMappedTrees | undefined;
  readonly #makingInit = new KeyedMutex();
  #lastNumber: number;

  constructor(options: {
    database: Database;
    paths: StoragePaths;
    layers: LayerStore;
    workers: WorkerPool;
    log: Log;
    mapped?: IdMappedTrees;
    driver: SnapshotDriver;
  }) {
    this.#database = options.database;
    this.#paths = options.paths;
    this.#layers = options.layers;
    this.#workers = options.workers;
    this.#log = options.log;
    this.#mapped = options.mapped;
    this.#driver = options.driver;
    this.#database.migrate('snapshots', migrations);
    const row = this.#database.prepare("select seq from sqlite_sequence where name = 'snapshots'").get();
    this.#lastNumber = Math.max(row === undefined ? 0 : Number(row['seq']), ...this.#numbersOnDisk());
    if (options.database.damaged) this.#restoreReferences();
  }

  /** What `info` and `inspect` call it. */
  get driver(): string {
    return this.#driver.name;
  }

  /** After damage: the layers below are its own again. */
  #restoreReferences(): void {
    this.#database
      .prepare(
        `insert or ignore into layer_references (owner, chain_id)
         select 'snapshot:' || id, parent from snapshots where parent is not null`,
      )
      .run();
  }

  /** Names of the directories that have a row. */
  directories(): Set<string> {
    return new Set(this.#rows().map(row => String(row.number)));
  }

  /** Drops the rows of snapshots on layers that are lost. Only steps of builds have those. */
  forgetOn(chainIds: readonly Digest[]): void {
    this.#database
      .prepare('delete from snapshots where parent in (select value from json_each(?))')
      .run(JSON.stringify(chainIds));
  }

  /** To be called once, before anything else: removes what has no row. */
  async removeLeftovers(): Promise<void> {
    const known = new Set(this.#rows().map(row => row.number));
    const leftovers = this.#numbersOnDisk().filter(number => !known.has(number));
    if (leftovers.length > 0) this.#log.info({ leftovers }, 'removing snapshots that were not finished');
    for (const number of leftovers) await this.#removeDirectory(number);
  }

  /**
   * @param parent chain id of the image's top layer; undefined: an empty root.
   * @param options.mountPoints put what containers have mounted over (/proc, /etc/hosts, ...) between image and
   *   snapshot, so that it is no change of the container; as Docker's init layer. Default true; builds say false.
   * @throws EngineError `conflict` when there is one of this id, `notFound` for the parent.
   */
  async create(id: string, parent?: Digest, options: { mountPoints?: boolean } = {}): Promise<Snapshot> {
    if (this.get(id) !== undefined) throw new EngineError('conflict', `snapshot ${id} exists already`);
    const mountPoints = options.mountPoints !== false;
    try {
      if (mountPoints) await this.#makeInit(parent);
      const number = ++this.#lastNumber;
      const paths = this.#paths.snapshot(number);
      for (const path of [paths.directory, paths.upper, paths.work, paths.merged])
        mkdirSync(path, { mode: 0o755 });
      const row = {
        number,
        id,
        parent: parent ?? null,
        mountPoints: mountPoints ? 1 : 0,
        createdMs: Date.now(),
      };
      if (this.#driver.flat) await this.#copyLayers(row);
      this.#insert(row);
    } catch (error) {
      throw diskError(`making the root of ${id}`, error);
    }
    return this.get(id)!;
  }

  get(id: string): Snapshot | undefined {
    const row = this.#row(id);
    return row === undefined ? undefined : this.#snapshotOf(row);
  }

  list(): Snapshot[] {
    return this.#rows().map(row => this.#snapshotOf(row));
  }

  /**
   * Mounts it if it is not mounted.
   * @param options.mapped with the owners that containers of the engine's user namespace see (id-mapped.ts).
   * @param options.unsynced what is written there is synced by commit() or thrown away: fsync(2) in it does nothing, nor
   *   does its unmounting wait for the disk. It cannot be mounted a second time.
   * @returns the path of its root.
   */
  mount(id: string, options: { readOnly?: boolean; mapped?: boolean; unsynced?: boolean } = {}): string {
    const row = this.#need(id);
    const paths = this.#paths.snapshot(row.number);
    if (isMounted(paths)) return paths.merged;
    if (isFlat(paths)) {
      if (options.readOnly === true) bindMount(paths.merged, paths.merged, { readOnly: true });
      return paths.merged;
    }
    const trees = options.mapped === true ? this.#mapped : undefined;
    const seen = (path: string) => trees?.viewOf(path) ?? path;
    try {
      const lower = this.#lowerOf(row);
      // An overlay needs a lower directory, a read-only one needs two.
      if (lower.length === 0) lower.push(emptyDirectory(paths));
      const below = lower.map(seen);
      const [upper, work] = [seen(paths.upper), seen(paths.work)];
      const overlay =
        options.readOnly === true
          ? { lower: [upper, ...below], target: paths.merged }
          : { lower: below, upper, work, target: paths.merged };
      // Whatever is mounted again for others to see it: the kernel would refuse.
      const volatile = options.unsynced === true && this.#mapped === undefined;
      if (trees === undefined) this.#driver.mount({ ...overlay, volatile });
      else trees.actAsRoot(() => overlayMount(overlay));
    } catch (error) {
      throw within(`mounting the root of ${id}`, error);
    }
    return paths.merged;
  }

  /**
   * Runs `work` while a mounted one is seen with the owners of the engine's user namespace (as `mapped` of mount());
   * nothing may have a file open in it. Without such a namespace nothing changes.
   * @param path as mount() gave it.
   */
  async whileMapped<T>(path: string, work: () => Promise<T>): Promise<T> {
    const id = this.#mapped && this.list().find(snapshot => snapshot.path === path)?.id;
    if (id === undefined) return work();
    this.unmount(id);
    this.mount(id, { mapped: true });
    try {
      return await work();
    } finally {
      this.unmount(id);
      this.mount(id);
    }
  }

  /** Unmounts it if it is mounted. */
  unmount(id: string): void {
    const row = this.#row(id);
    if (row !== undefined) unmountAll(this.#paths.snapshot(row.number));
  }

  /** Unmounts and removes it. Idempotent. */
  async remove(id: string): Promise<void> {
    const row = this.#row(id);
    if (row === undefined) return;
    unmountAll(this.#paths.snapshot(row.number));
    // Without its row the directory is a leftover: a kill from here on cannot bring half a root back.
    this.#database.transaction(() => {
      this.#database.prepare('delete from snapshots where number = ?').run(row.number);
      this.#layers.dereference(ownerOf(id));
    });
    await this.#removeDirectory(row.number);
  }

  /** Where it is mounted, or would be. @throws EngineError `notFound` */
  pathOf(id: string): string {
    return this.#paths.snapshot(this.#need(id).number).merged;
  }

  /** Directories of its overlay, as `inspect` shows them (GraphDriver.Data). */
  directoriesOf(id: string): SnapshotPaths & { lower: string[] } {
    const row = this.#need(id);
    return { ...this.#paths.snapshot(row.number), lower: this.#lowerOf(row) };
  }

  /** What differs from the image, sorted by path, by the rules of `docker diff`. */
  async changes(id: string): Promise<Change[]> {
    const { upper, lower } = this.directoriesOf(id);
    return this.#readingUpper(id, () => this.#workers.run('compareUpper', { upper, lower }));
  }

  /** Bytes of the files it has on its own. */
  async sizeOf(id: string): Promise<number> {
    const { upper } = this.directoriesOf(id);
    return this.#readingUpper(id, () => this.#workers.run('sizeOfTree', { root: upper }));
  }

  /**
   * Makes what was changed a layer on top of the parent, referenced by `owner`. Without `keep` it may not be on the
   * disk yet (LayerStore.durable).
   * @param options.keep copy it: the snapshot stays as it is, and may be in use (`docker commit`). Otherwise (builds)
   *   the directory itself becomes the layer, without a copy: the snapshot must not be mounted, and is good for
   *   nothing but remove() afterwards.
   * @param options.times what becomes of the files' times; not together with `keep`.
   */
  async commit(
    id: string,
    options: { owner: string; keep?: boolean; times?: LayerTimes | undefined },
  ): Promise<Layer> {
    return this.#readingUpper(id, () => this.#commit(id, options));
  }

  async #commit(
    id: string,
    options: { owner: string; keep?: boolean; times?: LayerTimes | undefined },
  ): Promise<Layer> {
    const row = this.#need(id);
    const paths = this.#paths.snapshot(row.number);
    const parent = row.parent ?? undefined;
    try {
      if (options.keep === true) return await this.#commitCopy(paths.upper, parent, options.owner);
      if (isMounted(paths)) throw new EngineError('conflict', `snapshot ${id} is mounted`);
      const { digest, size } = await this.#workers.run('packDigest', {
        root: paths.upper,
        times: options.times,
      });
      const candidate = { parent, diffId: digest, sizeBytes: size, owner: options.owner };
      const { layer } = await this.#layers.adopt(paths.upper, candidate, { unsynced: true });
      if (!existsSync(paths.upper)) mkdirSync(paths.upper, { mode: 0o755 });
      return layer;
    } catch (error) {
      throw within(`committing ${id}`, error);
    }
  }

  /** At start: unmounts and removes the snapshots whose ids are not known; leaves the others as they are. */
  async reconcile(known: ReadonlySet<string>): Promise<void> {
    for (const { id } of this.#rows()) {
      if (known.has(id)) continue;
      this.#log.info({ snapshot: id }, 'removing a snapshot nobody knows');
      await this.remove(id);
    }
  }

  /** Reads as one worker's tar, written by another: the source may change meanwhile, the layer is what was read. */
  async #commitCopy(upper: string, parent: Digest | undefined, owner: string): Promise<Layer> {
    const root = await ConfinedRoot.open(upper, this.#workers);
    try {
      const { port1, port2 } = new MessageChannel();
      const packed = root.packInto(port1, { path: '/', name: '', layer: true, preciseTimes: false });
      const received = this.#layers.receive(port2, { parent, owner });
      await Promise.all([packed, received]);
      return await received;
    } finally {
      await root.close();
    }
  }

  /** Whatever the driver, the upper directory is what the kernel's overlay would have written while `work` reads it. */
  async #readingUpper<T>(id: string, work: () => Promise<T>): Promise<T> {
    const row = this.#need(id);
    const paths = this.#paths.snapshot(row.number);
    if (!isFlat(paths)) {
      if (this.#driver.name === 'fuse-overlayfs')
        await this.#workers.run('settleOpaqueMarkers', { root: paths.upper });
      return work();
    }
    return this.#deriving.run(id, async () => {
      const { directory } = paths;
      await this.#workers.run('deriveUpper', { directory, lower: this.#lowerOf(row) });
      return work();
    });
  }

  async #copyLayers(row: SnapshotRow): Promise<void> {
    const paths = this.#paths.snapshot(row.number);
    await this.#workers.run('flattenLayers', { lower: this.#lowerOf(row), target: paths.merged });
    writeFileSync(join(paths.directory, flatMark), '');
  }

  #lowerOf(row: SnapshotRow): string[] {
    const parent = row.parent ?? undefined;
    const layers = this.#layers.lowerDirectories(parent);
    if (row.mountPoints === 0) return layers;
    return [this.#initFor(parent) ?? this.#ownInit(parent), ...layers];
  }

  #ownInit(parent: Digest | undefined): string {
    return this.#paths.layerInit(this.#layers.numberOf(parent));
  }

  /**
   * The mount points for what is on top of a layer: those of the layer itself, or of one below it where what lies
   * between has nothing in the way of any. So the steps of a build share those of their base.
   */
  #initFor(parent: Digest | undefined): string | undefined {
    if (existsSync(this.#ownInit(parent))) return this.#ownInit(parent);
    const layers = parent === undefined ? [] : this.#layers.chain(parent).reverse();
    for (const [index, layer] of layers.entries()) {
      if (holdsMountPoints(layer.directory)) return undefined;
      const below = layers.slice(index + 1);
      const init = this.#ownInit(below[0]?.chainId);
      if (existsSync(init))
        return below.some(({ directory }) => linksMountPoints(directory)) ? undefined : init;
    }
    return undefined;
  }

  /** The mount points for an image are made once, for all containers of it. */
  async #makeInit(parent: Digest | undefined): Promise<void> {
    if (this.#initFor(parent) !== undefined) return;
    const place = this.#ownInit(parent);
    const release = parent === undefined ? () => {} : this.#layers.hold(parent);
    try {
      await this.#makingInit.run(place, async () => {
        if (existsSync(place)) return;
        await this.#makeInitAt(place, this.#layers.lowerDirectories(parent));
      });
    } finally {
      release();
    }
  }

  async #makeInitAt(place: string, lower: readonly string[]): Promise<void> {
    const { path } = this.#layers.newDirectory();
    const [upper, work, merged, empty] = ['upper', 'work', 'merged', 'empty'].map(name =>
      join(path, name),
    ) as [string, string, string, string];
    for (const directory of [upper, work, merged, empty]) mkdirSync(directory, { mode: 0o755 });
    try {
      if (this.#driver.flat) {
        await this.#workers.run('flattenLayers', { lower, target: merged });
        await this.#workers.run('makeMountPoints', { root: merged });
        await this.#workers.run('deriveUpper', { directory: path, lower });
      } else {
        this.#driver.mount({ lower: lower.length === 0 ? [empty] : lower, upper, work, target: merged });
        try {
          await this.#workers.run('makeMountPoints', { root: merged });
        } finally {
          unmount(merged, { detach: true });
        }
      }
      renameSync(upper, place);
    } finally {
      await removeTree(path, this.#workers);
    }
  }

  async #removeDirectory(number: number): Promise<void> {
    const paths = this.#paths.snapshot(number);
    unmountAll(paths);
    await removeTree(paths.directory, this.#workers);
  }

  #insert(row: SnapshotRow): void {
    this.#database.transaction(() => {
      this.#database
        .prepare(
          'insert into snapshots (number, id, parent, mount_points, created_ms) values (?, ?, ?, ?, ?)',
        )
        .run(row.number, row.id, row.parent, row.mountPoints, row.createdMs);
      if (row.parent !== null) this.#layers.reference(ownerOf(row.id), row.parent);
    });
  }

  #row(id: string): SnapshotRow | undefined {
    const row = this.#database.prepare(`select ${columns} from snapshots where id = ?`).get(id);
    return row as SnapshotRow | undefined;
  }

  #rows(): SnapshotRow[] {
    const rows = this.#database.prepare(`select ${columns} from snapshots order by number`).all();
    return rows as unknown as SnapshotRow[];
  }

  #need(id: string): SnapshotRow {
    const row = this.#row(id);
    if (row === undefined) throw new EngineError('notFound', `snapshot ${id} does not exist`);
    return row;
  }

  #snapshotOf(row: SnapshotRow): Snapshot {
    const { id, parent, createdMs, number } = row;
    return { id, parent: parent ?? undefined, createdMs, path: this.#paths.snapshot(number).merged };
  }

  #numbersOnDisk(): number[] {
    return readdirSync(this.#paths.snapshots)
      .filter(name => /^\d+$/.test(name))
      .map(Number);
  }
}

interface SnapshotRow {
  number: number;
  id: string;
  parent: Digest | null;
  /** Whether the layer's mount points are part of it: 0 or 1. */
  mountPoints: number;
  createdMs: number;
}

const migrations = [
  `create table snapshots (
     number integer primary key autoincrement,
     id text not null unique,
     parent text references layers (chain_id),
     mount_points integer not null,
     created_ms integer not null
   ) strict;`,
];

const columns = 'number, id, parent, mount_points as mountPoints, created_ms as createdMs';

function ownerOf(id: string): string {
  return `snapshot:${id}`;
}

function emptyDirectory(paths: SnapshotPaths): string {
  const empty = join(paths.directory, 'empty');
  mkdirSync(empty, { recursive: true, mode: 0o755 });
  return empty;
}

const flatMark = 'flat';

function isFlat(paths: SnapshotPaths): boolean {
  return existsSync(join(paths.directory, flatMark));
}

/** An overlay has a device number of its own. Cheaper than reading a thousand lines of mountinfo. */
function isMounted(paths: SnapshotPaths): boolean {
  if (isFlat(paths)) return isMountPoint(paths.merged);
  const merged = statSync(paths.merged, { throwIfNoEntry: false });
  return merged !== undefined && merged.dev !== statSync(paths.directory).dev;
}

/** Also what was mounted over it by mistake; and lazily, as somebody may have a file open in it. */
function unmountAll(paths: SnapshotPaths): void {
  if (!existsSync(paths.directory)) return;
  try {
    while (isMounted(paths)) unmount(paths.merged, { detach: true });
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL') throw error;
  }
}
