import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { DirectFile, directBuffer } from '../linux/direct-file.ts';
import { type Digest, digestOf, isDigest } from '../oci/digest.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import { removeRecursively } from '../stdx/remove-recursively.ts';
import type { Database } from './database.ts';
import { Holds } from './holds.ts';
import type { StoragePaths } from './paths.ts';
import { ReferenceTable } from './references.ts';
import type { Arrival } from './worker/arrival.ts';
import { diskError } from './worker/errors.ts';
import { largeFileBytes } from './worker/large-file.ts';

export interface IngestOptions {
  /** What the bytes must hash to; `commit` checks it. */
  digest?: Digest;
  /** How many bytes there must be. */
  size?: number;
  /** Names the work, so that a later attempt goes on where this one stopped. Default: the digest, else unique. */
  key?: string;
  /** Is told how much of the file is there. */
  arrival?: Arrival;
}

export interface BlobIngest {
  /** Bytes kept from an earlier attempt of the same key: the next write goes on there. */
  readonly offset: number;
  /** Where they are until the commit. */
  readonly path: string;
  /** Nothing of it is in the page cache. */
  readonly pastCache: boolean;
  /**
   * Not again before the promise of the last one is settled.
   * @throws EngineError `corrupt` for more than `size`; what the disk says may come with a later call.
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * The same for a chunk whose memory is good for this call alone.
   * @returns when the disk is behind: more should come when it settles only.
   */
  take(chunk: Uint8Array): Promise<void> | undefined;
  /** Verifies, makes durable and puts in place. @throws EngineError `corrupt`; the bytes are thrown away then. */
  commit(): Promise<BlobInfo>;
  /** @param options.keep leave the bytes for a later attempt. Does nothing after a commit. */
  abort(options: { keep: boolean }): Promise<void>;
}

export interface BlobInfo {
  digest: Digest;
  size: number;
}

/** A file for one of our own workers to fill, and to hash while it does. */
export interface BlobFile {
  readonly path: string;
  /** Makes durable what it was filled with, and puts it in place. */
  commit(info: BlobInfo): Promise<void>;
  /** Does nothing after a commit. */
  abort(): Promise<void>;
}

/**
 * Content by digest. Bytes are verified before they are in place, so a blob that is there is whole and right.
 * An owner (`image:<id>`, `layer:<chain id>`) keeps blobs alive by references; the rest goes with
 * removeUnreferenced(). The files are the truth: there is no row per blob that could say something else.
 */
export class BlobStore {
  readonly #paths: StoragePaths;
  readonly #references: ReferenceTable;
  readonly #log: Log;
  readonly #held = new Holds<Digest>();
  readonly #activeKeys = new Set<string>();
  /** There may be blobs that nobody references; otherwise there is no need to look at all of them. */
  #mayHaveUnreferenced = true;

  constructor(options: { database: Database; paths: StoragePaths; log: Log }) {
    this.#paths = options.paths;
    this.#log = options.log;
    options.database.migrate('blobs', migrations);
    this.#references = new ReferenceTable(options.database, 'blob_references', 'digest');
    this.#removeLeftovers();
  }

  has(digest: Digest): boolean {
    return existsSync(this.#paths.blob(digest));
  }

  /** undefined: not here. */
  sizeOf(digest: Digest): number | undefined {
    return statSync(this.#paths.blob(digest), { throwIfNoEntry: false })?.size;
  }

  /** The file. @throws EngineError `notFound` */
  pathOf(digest: Digest): string {
    const path = this.#paths.blob(digest);
    if (!existsSync(path)) throw new EngineError('notFound', `blob ${digest} not found`);
    return path;
  }

  /** The whole content, verified again. @throws EngineError `notFound`, `invalid` above the limit (8 MiB), `corrupt`. */
  async read(digest: Digest, limitBytes = 8 << 20): Promise<Buffer> {
    const path = this.pathOf(digest);
    const { size } = statSync(path);
    if (size > limitBytes) {
      throw new EngineError('invalid', `blob ${digest} has ${size} bytes, more than ${limitBytes}`);
    }
    const bytes = await readFile(path);
    if (digestOf(bytes) === digest) return bytes;
    await this.quarantine(digest);
    throw new EngineError('corrupt', `blob ${digest} is damaged on disk`);
  }

  /** @param options.start first byte; @param options.end last byte, inclusive. */
  stream(digest: Digest, options: { start?: number; end?: number } = {}): Readable {
    return createReadStream(this.pathOf(digest), { ...options, highWaterMark: 512 * 1024 });
  }

  /** Stores small content (manifests, configurations). @param owner referenced at once, so that nothing collects it. */
  async write(bytes: Uint8Array, owner?: string): Promise<BlobInfo> {
    const digest = digestOf(bytes);
    const release = this.hold(digest);
    try {
      if (!this.has(digest)) {
        const ingest = await this.ingest({ digest, key: `write-${randomUUID()}` });
        try {
          await ingest.write(bytes);
          await ingest.commit();
        } catch (error) {
          await ingest.abort({ keep: false });
          throw error;
        }
      }
      if (owner !== undefined) this.reference(owner, digest);
      return { digest, size: bytes.length };
    } finally {
      release();
    }
  }

  /** Begins (or goes on) receiving a blob. @throws EngineError `conflict` while another ingest uses the same key. */
  ingest(options: IngestOptions): Promise<BlobIngest> {
    return this.#ingest(options);
  }

  async #ingest(options: IngestOptions): Promise<FileIngest> {
    const key = fileNameOf(options.key ?? options.digest ?? `unique-${randomUUID()}`);
    if (this.#activeKeys.has(key)) {
      throw new EngineError('conflict', `${options.key ?? options.digest} is being received already`);
    }
    this.#activeKeys.add(key);
    const release = options.digest === undefined ? () => {} : this.hold(options.digest);
    const close = () => {
      this.#activeKeys.delete(key);
      release();
    };
    try {
      const part = this.#paths.ingestPart(key);
      return await FileIngest.open(part, options, {
        target: digest => this.#paths.blob(digest),
        hold: digest => this.hold(digest),
        close,
      });
    } catch (error) {
      close();
      throw diskError('receiving a blob', error);
    }
  }

  /** An empty file aside, that is going to be a blob. @throws EngineError `conflict` as ingest() does. */
  async newFile(key: string): Promise<BlobFile> {
    const ingest = await this.#ingest({ key });
    if (ingest.offset > 0) {
      await ingest.abort({ keep: false });
      return this.newFile(key);
    }
    return {
      path: this.#paths.ingestPart(fileNameOf(key)),
      commit: info => ingest.commitFilled(info),
      abort: () => ingest.abort({ keep: false }),
    };
  }

  /** Idempotent; inside the caller's transaction if there is one. The blob may come later. */
  reference(owner: string, digest: Digest): void {
    this.#references.add(owner, digest);
  }

  /** Drops one reference of the owner, or all of them. */
  dereference(owner: string, digest?: Digest): void {
    this.#mayHaveUnreferenced ||= this.#references.isSole(owner, digest);
    this.#references.drop(owner, digest);
  }

  /** Keeps a blob from collection until the returned function is called, and a little longer. */
  hold(digest: Digest): () => void {
    this.#mayHaveUnreferenced ||= !this.#references.has(digest);
    return this.#held.hold(digest);
  }

  /** Removes blobs that nobody references or holds. */
  async removeUnreferenced(): Promise<{ removed: Digest[]; reclaimedBytes: number }> {
    const removed: Digest[] = [];
    let reclaimedBytes = 0;
    if (!this.#mayHaveUnreferenced) return { removed, reclaimedBytes };
    let left = false;
    for (const { digest, size } of this.list()) {
      if (this.#references.has(digest)) continue;
      if (this.#held.has(digest)) {
        left = true;
        continue;
      }
      // In one turn with the check: nobody can reference it in between.
      unlinkSync(this.#paths.blob(digest));
      removed.push(digest);
      reclaimedBytes += size;
    }
    this.#mayHaveUnreferenced = left;
    return { removed, reclaimedBytes };
  }

  list(): BlobInfo[] {
    const found: BlobInfo[] = [];
    const top = join(this.#paths.blobs, 'sha256');
    for (const directory of readdirIfExists(top)) {
      for (const hex of readdirIfExists(join(top, directory))) {
        const digest = `sha256:${hex}`;
        const size = isDigest(digest) ? this.sizeOf(digest) : undefined;
        if (size !== undefined) found.push({ digest: digest as Digest, size });
      }
    }
    return found;
  }

  /** Moves a damaged blob out of the way, so that it can be fetched again. */
  async quarantine(digest: Digest): Promise<void> {
    const target = join(this.#paths.quarantine, basename(this.#paths.blob(digest)));
    await mkdir(this.#paths.quarantine, { recursive: true, mode: 0o700 });
    await rename(this.#paths.blob(digest), target);
    this.#log.error({ digest, movedTo: target }, 'a blob is damaged and was moved away');
  }

  /** Parts nobody can come back for, or has come back for in a week. */
  #removeLeftovers(): void {
    mkdirSync(this.#paths.ingest, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#paths.ingest)) {
      const path = join(this.#paths.ingest, name);
      const unnamed = name.startsWith('unique-') || name.startsWith('write-');
      if (unnamed || Date.now() - statSync(path).mtimeMs > keptPartMs) removeRecursively(path);
    }
  }
}

const migrations = [
  `create table blob_references (
     owner text not null,
     digest text not null,
     primary key (owner, digest)
   ) strict, without rowid;
   create index blob_references_by_digest on blob_references (digest);`,
];

const keptPartMs = 7 * 24 * 60 * 60 * 1000;

interface IngestPlace {
  target(digest: Digest): string;
  hold(digest: Digest): () => void;
  close(): void;
}

/**
 * Written at once; the next ones are gathered meanwhile, in memory that is used again. Chunks of a socket that are kept till
 * they are written outlive the collector's first look, and are searched for in all of the heap then.
 */
const batchBytes = 1 << 20;
/** The disk gets to work while more is received, so that there is little left to wait for at the end. */
const syncEveryBytes = 32 << 20;

interface OpenIngest {
  path: string;
  file: FileHandle;
  direct: DirectFile | undefined;
  options: IngestOptions;
  place: IngestPlace;
  hash: ReturnType<typeof createHash>;
  /** Bytes that are in the file, and in the hash. */
  kept: number;
}

/** Bytes in a file aside. Their hash goes with them; of a kept part it is computed anew from what is on disk. */
class FileIngest implements BlobIngest {
  readonly offset: number;
  readonly path: string;
  readonly #file: FileHandle;
  /** The same file, of a large blob. */
  readonly #direct: DirectFile | undefined;
  readonly #options: IngestOptions;
  readonly #place: IngestPlace;
  readonly #hash: ReturnType<typeof createHash>;
  #length: number;
  #writtenLength: number;
  #batch = newBatch();
  #batchLength = 0;
  readonly #idle: Buffer[] = [];
  /** The batches before: how many, and the end of the last one. */
  #behind = 0;
  #writing: Promise<void> = Promise.resolve();
  #unsyncedLength = 0;
  #syncing: Promise<void> | undefined;
  /** The kernel tells a failure once: the sync at the end would know nothing of it. */
  #syncFailure: unknown;
  #open = true;

  static async open(path: string, options: IngestOptions, place: IngestPlace): Promise<FileIngest> {
    const file = await open(path, 'a+', 0o600);
    try {
      const hash = createHash('sha256');
      const large = options.size !== undefined && options.size >= largeFileBytes;
      // Past the page cache batches have to begin where the last one could have ended.
      if (large) await cutToBatches(file);
      const kept = await hashKept(file, hash, options.size);
      const direct = large ? new DirectFile(path) : undefined;
      return new FileIngest({ path, file, direct, options, place, hash, kept });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private constructor({ path, file, direct, options, place, hash, kept }: OpenIngest) {
    this.path = path;
    this.#file = file;
    this.#direct = direct;
    this.#options = options;
    this.#place = place;
    this.#hash = hash;
    this.offset = kept;
    this.#length = kept;
    this.#writtenLength = kept;
    if (kept > 0) options.arrival?.reached(kept);
  }

  get pastCache(): boolean {
    return this.#direct !== undefined;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.take(chunk);
  }

  take(chunk: Uint8Array): Promise<void> | undefined {
    const { size } = this.#options;
    if (size !== undefined && this.#length + chunk.length > size) {
      throw new EngineError('corrupt', `more than the ${size} bytes announced`);
    }
    this.#length += chunk.length;
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(batchBytes - this.#batchLength, chunk.length - at);
      this.#batch.set(chunk.subarray(at, at + taken), this.#batchLength);
      this.#batchLength += taken;
      at += taken;
      if (this.#batchLength === batchBytes) this.#startWriting();
    }
    return this.#behind > 1 ? this.#writing : undefined;
  }

  async commit(): Promise<BlobInfo> {
    await this.#written();
    this.#options.arrival?.end();
    const digest: Digest = `sha256:${this.#hash.digest('hex')}`;
    const wrong = this.#whatIsWrong(digest);
    if (wrong !== undefined) {
      await this.abort({ keep: false });
      throw new EngineError('corrupt', wrong);
    }
    await this.#putInPlace(digest);
    return { digest, size: this.#length };
  }

  /** Of bytes that came into the file by another way. */
  async commitFilled({ digest, size }: BlobInfo): Promise<void> {
    const found = (await this.#file.stat()).size;
    if (found !== size) throw new EngineError('corrupt', `got ${found} bytes where ${size} were announced`);
    await this.#putInPlace(digest);
  }

  async #putInPlace(digest: Digest): Promise<void> {
    const release = this.#place.hold(digest);
    try {
      const target = this.#place.target(digest);
      await this.#syncing;
      if (this.#syncFailure !== undefined) throw this.#syncFailure;
      await this.#file.sync();
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await rename(this.path, target);
    } catch (error) {
      throw diskError('storing a blob', error);
    } finally {
      await this.#close();
      release();
    }
  }

  async abort({ keep }: { keep: boolean }): Promise<void> {
    if (!this.#open) return;
    if (!keep) this.#options.arrival?.fail();
    // What could not be written is not there the next time either: only what is on disk counts.
    await (keep ? this.#written() : this.#writing).catch(() => {});
    await this.#syncing?.catch(() => {});
    await this.#close();
    if (!keep || this.#syncFailure !== undefined) await unlink(this.path).catch(ignoreMissing);
  }

  #startWriting(): void {
    const batch = this.#batch;
    const bytes = batch.subarray(0, this.#batchLength);
    this.#batch = this.#idle.pop() ?? newBatch();
    this.#batchLength = 0;
    this.#hash.update(bytes);
    this.#behind++;
    this.#writing = this.#writing
      .then(() => this.#writeAll(bytes))
      .finally(() => {
        this.#behind--;
        this.#idle.push(batch);
      });
    // It is awaited later; until then a rejection would count as unhandled.
    this.#writing.catch(() => {});
  }

  async #written(): Promise<void> {
    this.#startWriting();
    await this.#writing;
  }

  async #writeAll(bytes: Buffer): Promise<void> {
    try {
      if (this.#direct !== undefined) {
        await this.#direct.write(bytes, this.#writtenLength);
        this.#writtenLength += bytes.length;
      } else await this.#append(bytes);
    } catch (error) {
      throw diskError('storing a blob', error);
    }
    this.#options.arrival?.reached(this.#writtenLength);
    if (this.#unsyncedLength >= syncEveryBytes && this.#syncing === undefined) this.#startSync();
  }

  async #append(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, at);
      at += bytesWritten;
      this.#unsyncedLength += bytesWritten;
      this.#writtenLength += bytesWritten;
    }
  }

  #startSync(): void {
    this.#unsyncedLength = 0;
    this.#syncing = this.#file.datasync().finally(() => {
      this.#syncing = undefined;
    });
    this.#syncing.catch(error => {
      this.#syncFailure ??= error;
    });
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#direct?.close();
    await this.#file.close();
    this.#place.close();
  }

  #whatIsWrong(digest: Digest): string | undefined {
    const { digest: wanted, size } = this.#options;
    if (size !== undefined && this.#length !== size)
      return `got ${this.#length} bytes where ${size} were announced`;
    if (wanted !== undefined && wanted !== digest) return `content has the digest ${digest}, not ${wanted}`;
    return undefined;
  }
}

function newBatch(): Buffer {
  return directBuffer(batchBytes);
}

async function cutToBatches(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  if (size % batchBytes !== 0) await file.truncate(size - (size % batchBytes));
}

/** @returns length of what is kept; more than there can be is no beginning of it and is thrown away. */
async function hashKept(
  file: FileHandle,
  hash: ReturnType<typeof createHash>,
  limit = Number.POSITIVE_INFINITY,
): Promise<number> {
  const { size } = await file.stat();
  if (size > limit) {
    await file.truncate(0);
    return 0;
  }
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  let position = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return position;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

/** A key as a file name: readable when it is short. */
function fileNameOf(key: string): string {
  const encoded = encodeURIComponent(key);
  return encoded.length <= 200 ? encoded : digestOf(key).slice('sha256:'.length);
}

function readdirIfExists(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function ignoreMissing(error: unknown): void {
  if (errnoOf(error) !== 'ENOENT') throw error;
}
