import { mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Readable } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import { syncFileSystemOf } from '../linux/files.ts';
import { listMounts, unmount } from '../linux/mount.ts';
import { chainIdOf, type Digest } from '../oci/digest.ts';
import { EngineError, kindOf, within } from '../stdx/errors.ts';
import { Semaphore } from '../stdx/limits.ts';
import type { Log } from '../stdx/log.ts';
import { KeyedMutex } from '../stdx/mutex.ts';
import type { BlobInfo, BlobStore } from './blobs.ts';
import type { Database } from './database.ts';
import { type ArrivingBlob, EarlyLayer } from './early-layer.ts';
import type { FileSystemSync } from './file-system-sync.ts';
import { Holds } from './holds.ts';
import { type CompressionOptions, compressLayer } from './layer-compression.ts';
import { type LayerRow, LayerTable } from './layer-table.ts';
import { tarOfLayer } from './layer-tar.ts';
import type { StoragePaths } from './paths.ts';
import { removeTree } from './remove-tree.ts';
import { type CopiedFiles, CopyShares } from './worker/copy-layer.ts';
import { diskError } from './worker/errors.ts';
import { largeFileBytes } from './worker/large-file.ts';
import type { AppliedLayer } from './worker/operations.ts';
import type { UnpackLimits } from './worker/unpack.ts';
import type { WorkerPool } from './worker-pool.ts';

export interface Layer {
  readonly chainId: Digest;
  /** sha256 of the uncompressed tar. */
  readonly diffId: Digest;
  /** Chain id of the layer below. */
  readonly parent?: Digest;
  /** Unpacked, ready to be an overlay's lower directory. Never changes. */
  readonly directory: string;
  /** Bytes of its files. */
  readonly sizeBytes: number;
  /** The tar as it was pulled or pushed, when it is kept. */
  readonly blob?: LayerBlob;
}

export interface LayerBlob {
  digest: Digest;
  size: number;
  mediaType: string;
}

export interface ApplyOptions {
  /** Chain id of the layer below. */
  parent?: Digest;
  /** What the uncompressed tar must hash to; unknown for `docker import`. */
  diffId?: Digest;
  /** A blob of the blob store, which stays with the layer; or a tar (compressed or not), which is stored as a blob first. */
  source: LayerSource | Readable;
  /** Gets a reference in the same transaction that makes the layer known. */
  owner?: string;
  /** Bytes of the blob unpacked so far. */
  onProgress?: (currentBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

export interface LayerSource {
  blob: Digest;
  mediaType: string;
  /** What was unpacked of it while it came. */
  early?: EarlyLayer | undefined;
}

export interface CopyOptions {
  parent: Digest | undefined;
  owner: string;
  /** By two workers: worth it for some hundred files. */
  shared?: boolean;
  signal: AbortSignal;
}

/** How a directory becomes a layer. */
export interface AdoptOptions {
  /** The layer need not be on the disk when it is there (see LayerStore). */
  unsynced?: boolean;
}

/** A directory that is to become a layer. */
export interface LayerCandidate {
  parent?: Digest;
  diffId: Digest;
  sizeBytes: number;
  blob?: LayerBlob;
  owner?: string;
}

/**
 * Unpacked layers by chain id. An owner (`image:<id>`, `snapshot:<id>`, `build-cache:<key>`) keeps a layer and all
 * below it alive; the rest goes with removeUnreferenced().
 *
 * A layer is unpacked into `new-<number>`, renamed to `<number>`, synced, and then gets its row: whatever stands
 * there without a row when the daemon starts is the rest of something cut short, and is removed.
 *
 * What a build makes gets its row at once, marked with the boot of the machine, and is synced while the build goes on.
 * The mark goes when that is done, and nothing but the build's own rows refers to the layer before (durable()). A kill
 * of the daemon takes no file away; after a power cut there is another boot, and marked layers are removed.
 */
export class LayerStore {
  readonly #paths: StoragePaths;
  readonly #table: LayerTable;
  readonly #blobs: BlobStore;
  readonly #workers: WorkerPool;
  readonly #sync: FileSystemSync;
  readonly #log: Log;
  readonly #limits: UnpackLimits;
  readonly #applying = new KeyedMutex();
  readonly #slots = new Semaphore(Math.max(2, availableParallelism()));
  readonly #held = new Holds<Digest>();
  /** Blobs that are being unpacked while they come. */
  readonly #early = new Set<Digest>();
  readonly #boot = bootId();
  /** Numbers of layers that may not be on the disk yet. */
  readonly #unsynced: Set<number>;
  /** Those that the disk would not take, and why. */
  readonly #refused = new Map<number, unknown>();
  #lastNumber: number;

  constructor(options: {
    database: Database;
    paths: StoragePaths;
    blobs: BlobStore;
    workers: WorkerPool;
    sync: FileSystemSync;
    log: Log;
    limits?: UnpackLimits;
  }) {
    this.#paths = options.paths;
    this.#blobs = options.blobs;
    this.#workers = options.workers;
    this.#sync = options.sync;
    this.#log = options.log;
    this.#limits = options.limits ?? defaultLimits;
    this.#table = new LayerTable(options.database);
    this.#lastNumber = this.#table.lastNumber();
    this.#unsynced = new Set(this.#table.unsynced(this.#boot));
    if (options.database.damaged) this.#table.restoreReferences();
  }

  /** Names of the directories that have a row. */
  directories(): Set<string> {
    return new Set(['0-init', ...this.#table.all().flatMap(({ number }) => [`${number}`, `${number}-init`])]);
  }

  /** Layers that a power cut may have damaged. */
  lost(): Digest[] {
    return this.#table.lost(this.#boot);
  }

  /** Drops rows of lost layers, which nothing refers to but by layer_references. */
  forget(chainIds: readonly Digest[]): void {
    if (chainIds.length === 0) return;
    this.#log.warn(
      { layers: chainIds },
      'dropping layers of builds that were not on the disk when the machine stopped',
    );
    this.#table.forget(chainIds);
  }

  /** To be called once, before anything else: removes what has no row. */
  async removeLeftovers(): Promise<void> {
    // Preparing mount points for containers (snapshots.ts) was cut short.
    for (const { mountPoint } of listMounts(this.#paths.layers)) unmount(mountPoint, { detach: true });
    if (this.#unsynced.size > 0) this.#syncAll().catch(() => {});
    const known = this.directories();
    const leftovers = readdirSync(this.#paths.layers).filter(name => !known.has(name));
    if (leftovers.length === 0) return;
    this.#log.info({ leftovers }, 'removing layers that were not finished');
    for (const name of leftovers) await removeTree(`${this.#paths.layers}/${name}`, this.#workers);
  }

  get(chainId: Digest): Layer | undefined {
    const row = this.#table.get(chainId);
    return row === undefined ? undefined : this.#layerOf(row);
  }

  /** Base first, the asked one last. @throws EngineError `notFound` */
  chain(chainId: Digest): Layer[] {
    const layers: Layer[] = [];
    for (let next: Digest | undefined = chainId; next !== undefined; ) {
      const layer = this.#need(next);
      layers.push(layer);
      next = layer.parent;
    }
    return layers.reverse();
  }

  list(): Layer[] {
    return this.#table.all().map(row => this.#layerOf(row));
  }

  /**
   * Unpacks a layer in a worker confined to its directory. The same layer asked for twice at once is unpacked once.
   * @throws EngineError `corrupt` when the tar does not hash to diffId, `invalid` for a bad archive, `cancelled`.
   */
  async apply(options: ApplyOptions): Promise<Layer> {
    const { source, parent, diffId, signal } = options;
    signal?.throwIfAborted();
    if (source instanceof Readable) return this.#applyStream(options, source);
    if (diffId === undefined) return this.#applyBlob(options, source);
    return this.#applying.run(chainIdOf(parent, diffId), () => this.#applyBlob(options, source));
  }

  /**
   * Begins to unpack a layer whose blob is still coming. It may be slow to come, so this takes no turn of apply().
   * @param blob its digest. @returns undefined where it is not worth it: there is such a layer, somebody does it already,
   * or enough are under way.
   */
  unpackEarly(blob: Digest, { path: file, pastCache, arrival }: ArrivingBlob): EarlyLayer | undefined {
    const enough = this.#early.size >= earlyLimit || this.#early.has(blob);
    if (enough || this.#table.knows(blob)) return undefined;
    const { path: target } = this.newDirectory();
    const argument = { file, pastCache, arrival, target, lower: undefined, limits: this.#limits };
    this.#early.add(blob);
    const early = new EarlyLayer(
      target,
      (signal, onProgress) => this.#workers.run('applyLayer', argument, { signal, onProgress }),
      () => this.#discard(target),
    );
    void early.settled().then(() => this.#early.delete(blob));
    return early;
  }

  /** The uncompressed tar: exactly the bytes that hash to diffId; the stream fails with `corrupt` when they do not. */
  tar(chainId: Digest): Readable {
    const layer = this.#need(chainId);
    const release = this.hold(chainId);
    return tarOfLayer(layer, this.#blobs, this.#workers).once('close', release);
  }

  /** Makes a gzip file of it. @throws EngineError `notFound`, and as compressLayer */
  async compress(chainId: Digest, options: CompressionOptions): Promise<BlobInfo> {
    const layer = this.#need(chainId);
    const release = this.hold(chainId);
    try {
      return await compressLayer(layer, { blobs: this.#blobs, workers: this.#workers }, options);
    } finally {
      release();
    }
  }

  /** Keeps a compressed form of the layer, made for a push or a save; it must be in the blob store. */
  attachBlob(chainId: Digest, blob: LayerBlob): void {
    const { blob: old } = this.#need(chainId);
    this.#table.transaction(() => {
      if (old !== undefined) this.#blobs.dereference(blobOwner(chainId), old.digest);
      this.#blobs.reference(blobOwner(chainId), blob.digest);
      this.#table.setBlob(chainId, blob);
    });
  }

  /** Idempotent; inside the caller's transaction if there is one. @throws EngineError `notFound` */
  reference(owner: string, chainId: Digest): void {
    this.#need(chainId);
    this.#table.references.add(owner, chainId);
  }

  /** Drops one reference of the owner, or all of them. */
  dereference(owner: string, chainId?: Digest): void {
    this.#table.references.drop(owner, chainId);
  }

  /** Removes layers that neither an owner nor a layer above needs. */
  async removeUnreferenced(): Promise<{ removed: Layer[]; reclaimedBytes: number }> {
    const rows = this.#table.transaction(() => this.#deleteUnreferencedRows());
    const removed = rows.map(row => this.#layerOf(row));
    for (const { number } of rows) {
      await removeTree(this.#paths.layer(number), this.#workers);
      await removeTree(this.#paths.layerInit(number), this.#workers);
    }
    return { removed, reclaimedBytes: removed.reduce((sum, layer) => sum + layer.sizeBytes, 0) };
  }

  /** Keeps a layer from removal until the returned function is called, and a little longer. */
  hold(chainId: Digest): () => void {
    return this.#held.hold(chainId);
  }

  /** Directories for an overlay on top of a layer, topmost first. */
  lowerDirectories(chainId: Digest | undefined): string[] {
    return chainId === undefined
      ? []
      : this.chain(chainId)
          .map(layer => layer.directory)
          .reverse();
  }

  /** Number of a layer's directory; 0 stands for no layer. @throws EngineError `notFound` */
  numberOf(chainId: Digest | undefined): number {
    return chainId === undefined ? 0 : this.#needRow(chainId).number;
  }

  /** A fresh directory aside, to become a layer by adopt(), or to be discarded. */
  newDirectory(): { number: number; path: string } {
    const number = ++this.#lastNumber;
    const path = this.#paths.newLayer(number);
    mkdirSync(path, { mode: 0o755 });
    return { number, path };
  }

  async #discard(path: string): Promise<void> {
    await removeTree(path, this.#workers);
  }

  /**
   * Makes a directory on the data-root a layer: moves it into place, makes it durable, gives it its row. What is
   * `unsynced` has its row at once, and is made durable meanwhile. If there is such a layer already, that one is
   * taken, and the directory stays the caller's.
   */
  async adopt(
    path: string,
    candidate: LayerCandidate,
    { unsynced = false }: AdoptOptions = {},
  ): Promise<{ layer: Layer; adopted: boolean }> {
    const chainId = chainIdOf(candidate.parent, candidate.diffId);
    const present = this.#take(chainId, candidate);
    if (present !== undefined) return { layer: present, adopted: false };
    const number = ++this.#lastNumber;
    const place = this.#paths.layer(number);
    renameSync(path, place);
    if (!unsynced) await this.#syncAll();
    const result = this.#table.transaction(() => {
      // Somebody else may have been faster while we waited for the disk: then ours, without a row, is a leftover.
      const faster = this.#take(chainId, candidate);
      if (faster !== undefined) {
        renameSync(place, path);
        return { layer: faster, adopted: false };
      }
      const { diffId, sizeBytes, parent = null } = candidate;
      this.#table.insert({ number, chainId, diffId, parent, sizeBytes }, unsynced ? this.#boot : null);
      return { layer: this.#take(chainId, candidate)!, adopted: true };
    });
    if (unsynced && result.adopted) {
      this.#unsynced.add(number);
      // Whoever relies on it asks again, and is told.
      this.#syncAll().catch(() => {});
    }
    return result;
  }

  /** Settles when a layer and all below it are on the disk. @throws what the disk said */
  async durable(chainId: Digest): Promise<void> {
    if (this.#waitsForDisk(chainId)) await this.#syncAll();
    this.#waitsForDisk(chainId);
  }

  /** As durable(), for those who cannot wait; it has been waited for before, as a rule. */
  makeDurable(chainId: Digest): void {
    if (!this.#waitsForDisk(chainId)) return;
    const written = [...this.#unsynced];
    syncFileSystemOf(this.#paths.layers);
    this.#settled(written, null);
  }

  /** @throws what the disk said */
  #waitsForDisk(chainId: Digest): boolean {
    let waits = false;
    if (this.#unsynced.size + this.#refused.size === 0) return waits;
    for (let next: Digest | null = chainId; next !== null; ) {
      const { number, parent }: LayerRow = this.#needRow(next);
      if (this.#refused.has(number)) throw this.#refused.get(number);
      waits ||= this.#unsynced.has(number);
      next = parent;
    }
    return waits;
  }

  /** Afterwards all that was written before is on the disk. */
  async #syncAll(): Promise<void> {
    const written = [...this.#unsynced];
    try {
      await this.#sync.sync();
    } catch (error) {
      // The kernel tells a failure once: these will never be known to be there, and go when the daemon starts.
      if (kindOf(error) !== 'cancelled') {
        for (const number of written) this.#refused.set(number, error);
        this.#settled(written, noBoot);
      }
      throw error;
    }
    this.#settled(written, null);
  }

  #settled(numbers: readonly number[], unsyncedSince: typeof noBoot | null): void {
    const waiting = numbers.filter(number => this.#unsynced.delete(number));
    if (waiting.length > 0) this.#table.setUnsynced(waiting, unsyncedSince);
  }

  /**
   * Makes the content of a directory a layer, as copying it into the layers below would. It may not be on the disk
   * yet (durable()).
   * @returns undefined when that takes an overlay (copy-layer.ts): nothing is left of it then.
   */
  async copy(files: CopiedFiles, options: CopyOptions): Promise<Layer | undefined> {
    const { parent } = options;
    const copy = (shared: boolean) =>
      this.#intoNewDirectory(parent, target => this.#copyInto(target, files, { ...options, shared }), {
        unsynced: true,
      });
    let copied = await copy(options.shared === true);
    if (copied === 'alone') copied = await copy(false);
    return typeof copied === 'string' ? undefined : copied;
  }

  async #copyInto(
    target: string,
    files: CopiedFiles,
    { parent, owner, signal, shared }: CopyOptions,
  ): Promise<LayerCandidate | 'overlay' | 'alone'> {
    const lower = this.lowerDirectories(parent);
    const shares = shared === true ? CopyShares.allocate() : undefined;
    const argument = { ...files, target, lower, shares };
    let failure: { error: unknown } | undefined;
    const help =
      shares &&
      this.#workers.run('helpCopyLayer', argument, { signal }).catch(error => {
        failure = { error };
        new CopyShares(shares).endHelp(false);
      });
    try {
      const copied = await this.#workers.run('copyLayer', argument, { signal });
      if (typeof copied === 'string') return copied;
      return { parent, owner, diffId: copied.digest, sizeBytes: copied.size };
    } catch (error) {
      // A thread that died at once has told the other nothing.
      if (shares !== undefined) new CopyShares(shares).abandon();
      await help;
      throw failure?.error ?? error;
    }
  }

  /** Unpacks the uncompressed tar that comes through `port`, and makes it a layer. */
  async receive(port: MessagePort, options: { parent?: Digest; owner: string }): Promise<Layer> {
    return this.#intoNewDirectory<never>(options.parent, async target => {
      const lower = this.lowerDirectories(options.parent);
      const argument = { port, target, lower, limits: this.#limits };
      const applied = await this.#workers.run('receiveLayer', argument, { transfer: [port] });
      return { ...options, diffId: applied.diffId, sizeBytes: applied.size };
    });
  }

  async #applyStream(options: ApplyOptions, source: Readable): Promise<Layer> {
    const ingest = await this.#blobs.ingest({});
    let blob: { digest: Digest; size: number };
    try {
      for await (const chunk of source) {
        options.signal?.throwIfAborted();
        await ingest.write(chunk);
      }
      blob = await ingest.commit();
    } catch (error) {
      await ingest.abort({ keep: false });
      throw within('receiving a layer', error);
    }
    const release = this.#blobs.hold(blob.digest);
    try {
      return await this.apply({
        ...options,
        source: { blob: blob.digest, mediaType: 'application/vnd.oci.image.layer.v1.tar' },
      });
    } finally {
      release();
    }
  }

  async #applyBlob(options: ApplyOptions, source: LayerSource): Promise<Layer> {
    const { parent, diffId, owner, onProgress, signal } = options;
    const size = this.#blobs.sizeOf(source.blob);
    const candidate = {
      parent,
      owner,
      blob: size === undefined ? undefined : { digest: source.blob, size, mediaType: source.mediaType },
    };
    if (diffId !== undefined) {
      const present = this.#take(chainIdOf(parent, diffId), { ...candidate, diffId, sizeBytes: 0 });
      if (present !== undefined) return present;
    }
    const file = this.#blobs.pathOf(source.blob);
    const release = this.#blobs.hold(source.blob);
    try {
      const early = await source.early?.take(bytes => onProgress?.(bytes, size!), signal);
      if (early !== undefined && early.applied.diffId === diffId) {
        const { applied, directory } = early;
        return await this.#intoNewDirectory<never>(
          parent,
          async () => ({ ...candidate, diffId, sizeBytes: applied.size }),
          { made: directory },
        );
      }
      if (early !== undefined) await this.#discard(early.directory);
      return await this.#slots.run(() =>
        this.#intoNewDirectory<never>(parent, async target => {
          const applied = await this.#unpack(file, size!, target, options);
          if (diffId !== undefined && applied.diffId !== diffId) {
            throw new EngineError(
              'corrupt',
              `layer ${source.blob}: its content has the digest ${applied.diffId}, not ${diffId}`,
            );
          }
          return { ...candidate, diffId: applied.diffId, sizeBytes: applied.size };
        }),
      );
    } finally {
      release();
    }
  }

  #unpack(file: string, size: number, target: string, options: ApplyOptions): Promise<AppliedLayer> {
    const { parent, signal, onProgress } = options;
    const lower = this.lowerDirectories(parent);
    return this.#workers.run(
      'applyLayer',
      { file, pastCache: size >= largeFileBytes, target, lower, limits: this.#limits },
      {
        signal,
        onProgress: onProgress === undefined ? undefined : current => onProgress(current, size),
      },
    );
  }

  /** Fills a directory aside and makes it a layer; it is gone when that fails. @param options.made one that is there */
  async #intoNewDirectory<Otherwise extends string = never>(
    parent: Digest | undefined,
    fill: (target: string) => Promise<LayerCandidate | Otherwise>,
    options: AdoptOptions & { made?: string } = {},
  ): Promise<Layer | Otherwise> {
    if (parent !== undefined) this.#need(parent);
    const release = parent === undefined ? () => {} : this.hold(parent);
    try {
      const path = options.made ?? this.newDirectory().path;
      try {
        const candidate = await fill(path);
        const { layer, adopted } =
          typeof candidate === 'string'
            ? { layer: candidate, adopted: false }
            : await this.adopt(path, candidate, options);
        if (!adopted) await this.#discard(path);
        return layer;
      } catch (error) {
        await this.#discard(path);
        throw error;
      }
    } catch (error) {
      throw diskError('unpacking a layer', error);
    } finally {
      release();
    }
  }

  /** The layer if it is here, referenced by the candidate's owner and with its blob. */
  #take(chainId: Digest, candidate: LayerCandidate): Layer | undefined {
    return this.#table.transaction(() => {
      const present = this.get(chainId);
      if (present === undefined) return undefined;
      if (present.blob === undefined && candidate.blob !== undefined)
        this.attachBlob(chainId, candidate.blob);
      if (candidate.owner !== undefined) this.reference(candidate.owner, chainId);
      else this.hold(chainId)();
      return this.get(chainId);
    });
  }

  #deleteUnreferencedRows(): LayerRow[] {
    const deleted: LayerRow[] = [];
    for (;;) {
      const rows = this.#table.unreferenced().filter(row => !this.#held.has(row.chainId));
      if (rows.length === 0) return deleted;
      for (const row of rows) {
        this.#blobs.dereference(blobOwner(row.chainId));
        this.#table.delete(row.chainId);
        deleted.push(row);
      }
    }
  }

  #need(chainId: Digest): Layer {
    return this.#layerOf(this.#needRow(chainId));
  }

  #needRow(chainId: Digest): LayerRow {
    const row = this.#table.get(chainId);
    if (row === undefined) throw new EngineError('notFound', `layer ${chainId} does not exist`);
    return row;
  }

  #layerOf(row: LayerRow): Layer {
    const { number, chainId, diffId, parent, sizeBytes, blob } = row;
    return {
      chainId,
      diffId,
      parent: parent ?? undefined,
      directory: this.#paths.layer(number),
      sizeBytes,
      blob,
    };
  }
}

/** Each has a worker for as long as its blob comes. */
const earlyLimit = 2;

/** What nobody's image reaches: real ones have some hundred thousand files and some tens of gigabytes. */
const defaultLimits: UnpackLimits = { entries: 5_000_000, bytes: 1024 ** 4 };

/** No boot has this id. */
const noBoot = '';

/** Which start of the machine this is. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function blobOwner(chainId: Digest): string {
  return `layer:${chainId}`;
}
