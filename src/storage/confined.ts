import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { zstdDecompressSync } from 'node:zlib';
import { decompress } from '../archive/compression.ts';
import type { Digest } from '../oci/digest.ts';
import type { IdMappings } from '../oci/id-mappings.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import { goModeOf } from './go-mode.ts';
import { TreeReception } from './tree-reception.ts';
import { readableFrom, receiveChunks, sendChunks } from './worker/chunk-port.ts';
import type { HashedColumns, TreeHash } from './worker/hash-tree.ts';
import type { FileType, ListedFile } from './worker/look.ts';
import type { PackResult, PackSettings } from './worker/pack.ts';
import type { UnpackSettings } from './worker/unpack.ts';
import type { FileWorker, WorkerPool } from './worker-pool.ts';

export type { FileType } from './worker/look.ts';

export interface PathStat {
  /** Last element of the path; `/` for the root. */
  name: string;
  type: FileType;
  size: number;
  /** Go's os.FileMode bits, as Docker sends them. */
  mode: number;
  /** Permissions with setuid, setgid and sticky: 0..0o7777. */
  permissions: number;
  uid: number;
  gid: number;
  mtimeMs: number;
  /** Of a symlink: where it leads in the end, as an absolute path inside; otherwise empty. */
  linkTarget: string;
}

export interface ListEntry {
  /** Relative to the listed directory, `/` between elements. */
  path: string;
  type: FileType;
  size: number;
  permissions: number;
  uid: number;
  gid: number;
  mtimeMs: number;
  /** As it is written, of a symlink. */
  linkTarget: string;
}

export interface ReadTarOptions {
  /** Name of the top entry instead of its own (`docker cp`); '': the content of the directory alone. */
  rename?: string;
  /** Go through a symlink at the end of the path. */
  follow?: boolean;
  /** Only these, relative to the path (a directory without what is in it); default: everything. */
  only?: readonly string[];
}

export interface UnpackOptions {
  /** Refuse to replace a directory by something else, and the other way round. */
  noOverwriteDirNonDir?: boolean;
  /** Owner of everything instead of the archive's (`docker cp -a` gives the container's user). */
  owner?: { uid: number; gid: number };
  /** Permissions for everything instead of the archive's. */
  permissions?: number;
  /** The archive's `./` says what the destination itself is like. */
  shapesTop?: boolean;
  /** Make devices and fifos; otherwise they are refused. Default true. */
  allowDevices?: boolean;
  signal?: AbortSignal;
}

export interface CopyOptions {
  from: ConfinedRoot;
  /** A file or a directory (its content is copied); a symlink at the end is followed. */
  source: string;
  /** Only these, relative to the source directory (a directory without what is in it); default: everything. */
  only?: readonly string[];
  /** A directory for a directory's content. For a file its new path; ending in `/`: the directory to put it in. */
  destination: string;
  /** For everything copied and for directories made on the way; default: as in the source, and root. */
  owner?: { uid: number; gid: number };
  permissions?: number;
  signal?: AbortSignal;
}

/**
 * A tree by all that counts: of every file its path, type, content, permissions, owner, link target, device, xattrs, and
 * which of the files are one (hard links). Never times.
 */
export class HashedTree {
  readonly digest: Digest;
  /** Without what is said of its top. */
  readonly insideDigest: Digest;
  /** Of its entries. */
  readonly count: number;
  /** HashedColumns (worker/hash-tree.ts). */
  readonly packed: Uint8Array;

  constructor({ digest, insideDigest, packed, count }: TreeHash) {
    this.digest = digest;
    this.insideDigest = insideDigest;
    this.count = count;
    this.packed = packed;
  }

  /** Sorted by path. */
  entries(): HashedEntry[] {
    const columns = JSON.parse(zstdDecompressSync(this.packed).toString('utf8')) as HashedColumns;
    const { paths, types, contents, attributes } = columns;
    return paths.map((path, index) => {
      const content = contents[index] || undefined;
      return { path, type: types[index]!, content, attributes: attributes[index]! };
    });
  }
}

export interface HashedEntry {
  /** Relative to the hashed path; '' for itself. */
  path: string;
  type: FileType;
  /** Of a regular file. */
  content?: Digest;
  /** The rest of what counts, to be read by people: `755 0:0 -> target`. */
  attributes: string;
}

/**
 * A directory tree that others write to: a container's root, a layer, a build context. Everything happens in a
 * worker thread whose root is that directory (chroot(2)), so no name, link or race in it can lead outside.
 * Paths are absolute inside. close() gives the worker back; until then it keeps the tree's mounts busy.
 */
export class ConfinedRoot {
  readonly #worker: FileWorker;
  readonly #workers: WorkerPool;
  #closed = false;

  /**
   * @param root also `/proc/<pid>/root`. @param workers those of Storage; see also Storage.confine().
   * @param mappings of the user namespace that the files' owners are seen in: all ids are those inside.
   * @throws an error with code ENOENT when there is no such directory.
   */
  static async open(root: string, workers: WorkerPool, mappings?: IdMappings): Promise<ConfinedRoot> {
    const worker = workers.take();
    try {
      await worker.call('enter', { root, mappings });
      return new ConfinedRoot(worker, workers);
    } catch (error) {
      await workers.give(worker);
      throw error;
    }
  }

  private constructor(worker: FileWorker, workers: WorkerPool) {
    this.#worker = worker;
    this.#workers = workers;
  }

  /** undefined: nothing there. */
  async stat(path: string, options: { follow?: boolean } = {}): Promise<PathStat | undefined> {
    const stat = await this.#worker.call('stat', { path, follow: options.follow === true });
    if (stat === undefined) return undefined;
    const { link: _, mtimeNs, ...rest } = stat;
    return { name: baseName(path), ...rest, mode: goModeOf(stat), mtimeMs: Number(mtimeNs) / 1e6 };
  }

  /** Sorted by name; a directory comes before what is in it. @throws EngineError `notFound` */
  async list(path: string, options: { recursive?: boolean } = {}): Promise<ListEntry[]> {
    const [top, ...files] = await this.#listed(path, { recursive: options.recursive === true });
    if (top?.type !== 'directory') throw new EngineError('invalid', `${path} is no directory`);
    return files.map(({ path: relative, type, size, permissions, uid, gid, mtimeNs, link }) => {
      const mtimeMs = Number(mtimeNs) / 1e6;
      return { path: relative, type, size, permissions, uid, gid, mtimeMs, linkTarget: link };
    });
  }

  /** undefined: no such file. @throws EngineError `invalid` for what is no regular file or above the limit (8 MiB). */
  async readFile(path: string, limitBytes = 8 << 20): Promise<Buffer | undefined> {
    const bytes = await this.#worker.call('readFile', { path, limitBytes });
    return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The content of a regular file of any size. */
  async *readChunks(path: string): AsyncGenerator<Buffer> {
    const { port1, port2 } = new MessageChannel();
    const done = this.#worker.call('readChunks', { port: port2, path }, { transfer: [port2] });
    // A failure comes through the port as well, which is read first.
    done.catch(() => {});
    yield* receiveChunks(port1);
    await done;
  }

  /** Path with all symlinks resolved inside; elements that do not exist are kept as they are. */
  resolve(path: string): Promise<string> {
    return this.#worker.call('resolve', path);
  }

  /** Makes a directory and its missing parents. */
  async makeDirectory(
    path: string,
    options: { owner?: { uid: number; gid: number }; permissions?: number } = {},
  ): Promise<void> {
    await this.#worker.call('makeDirectory', { path, ...options });
  }

  readTar(path: string, options: ReadTarOptions = {}): Readable {
    return readableFrom(this.#readTar(path, options));
  }

  /**
   * @param destination an existing directory.
   * @param tar compressed or not. Never destroyed: after a failure what is left of it is the caller's.
   */
  async unpackTar(destination: string, tar: Readable, options: UnpackOptions = {}): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    // Programs for bzip2 and xz cannot be started in a confined worker, so this is where it is decompressed.
    // A request's stream must outlive a failure, or the answer could not be sent.
    const sent = decompress(tar.iterator({ destroyOnReturn: false })).then(
      plain => sendChunks(port1, plain),
      error => sendChunks(port1, failing(error)),
    );
    await this.#unpack(port2, { ...options, destination }, options.signal);
    await sent;
  }

  /**
   * Makes this tree what somebody else says theirs is: see TreeReception.
   * @param want called with the indexes of the files whose content is missing here
   */
  receiveTree(want: (indexes: readonly number[]) => void): TreeReception {
    const { port1, port2 } = new MessageChannel();
    const done = this.#worker.call('receiveTree', { port: port2 }, { transfer: [port2] });
    return new TreeReception(port1, done, want);
  }

  /** Copies from another root into this one: hard links, xattrs and times are kept. */
  async copyTree(options: CopyOptions): Promise<void> {
    const { from, owner, permissions, signal } = options;
    const source = await from.resolve(options.source);
    const stat = await from.stat(source);
    if (stat === undefined) throw notFound(options.source);
    const present = await this.stat(options.destination, { follow: true });
    const plan = planCopy(options, stat.type === 'directory', present?.type === 'directory');
    const destination = await this.resolve(plan.directory);
    await this.makeDirectory(destination, { owner });
    const { port1, port2 } = new MessageChannel();
    const settings = { path: source, name: plan.name, layer: false, preciseTimes: true, only: options.only };
    const packed = from.packInto(port1, settings);
    const unpacked = this.#unpack(port2, { destination, owner, permissions }, signal);
    const [sending, receiving] = await Promise.allSettled([packed, unpacked]);
    if (receiving.status === 'rejected') throw receiving.reason;
    if (sending.status === 'rejected') throw sending.reason;
  }

  /**
   * What was read once is not read again while its file stays as it is, by inode, size and times.
   * @param options.only as in ReadTarOptions.
   * @param options.known the hash of an earlier state, whose files need not be read where they are the same.
   * @throws EngineError `notFound`
   */
  async hashTree(
    path: string,
    { only, known }: { only?: readonly string[]; known?: HashedTree | undefined } = {},
  ): Promise<HashedTree> {
    const argument = { path, only, known: known?.packed };
    return new HashedTree(await absentAs(path, () => this.#worker.call('hashTree', argument)));
  }

  /** The archive as chunks, and what it was when all of it is out. */
  pack(settings: PackSettings): {
    chunks: AsyncGenerator<Buffer>;
    done: Promise<PackResult & { digest: Digest }>;
  } {
    const { port1, port2 } = new MessageChannel();
    const done = this.packInto(port1, settings);
    // Whoever stops reading early never asks for the result.
    done.catch(() => {});
    return { chunks: receiveChunks(port2), done };
  }

  /** Sends the archive to whoever has the other end of the port. */
  packInto(port: MessagePort, settings: PackSettings): Promise<PackResult & { digest: Digest }> {
    return this.#worker.call('pack', { port, settings }, { transfer: [port] });
  }

  /** Idempotent. Work still running is ended. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#workers.give(this.#worker);
  }

  async *#readTar(path: string, options: ReadTarOptions): AsyncGenerator<Buffer> {
    const { rename, follow, only } = options;
    const real = follow === true ? await this.resolve(path) : path;
    if ((await this.stat(real)) === undefined) throw notFound(path);
    const name = rename ?? baseName(path);
    const { chunks, done } = this.pack({ path: real, name, layer: false, preciseTimes: false, only });
    yield* chunks;
    await done;
  }

  async #unpack(
    port: MessagePort,
    options: UnpackOptions & { destination: string },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    signal?.throwIfAborted();
    const { destination, noOverwriteDirNonDir = false, allowDevices = true, owner, permissions } = options;
    const { shapesTop } = options;
    const limits = { entries: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
    const settings: UnpackSettings = {
      destination,
      layer: false,
      noOverwriteDirNonDir,
      shapesTop,
      allowDevices,
      owner,
      permissions,
      limits,
    };
    const stop = () => void this.#workers.end(this.#worker);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      await this.#worker.call('unpack', { port, settings }, { transfer: [port] });
    } catch (error) {
      if (signal?.aborted) throw new EngineError('cancelled', 'cancelled', { cause: error });
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  async #listed(
    path: string,
    options: { recursive: boolean; only?: readonly string[] },
  ): Promise<ListedFile[]> {
    return absentAs(path, () => this.#worker.call('list', { path, ...options }));
  }
}

/** Where a copy goes, and what its top is called there; a directory's content has no top. */
function planCopy(
  { source, destination }: CopyOptions,
  isDirectory: boolean,
  intoDirectory: boolean,
): { directory: string; name: string } {
  if (isDirectory) return { directory: destination, name: '' };
  if (destination.endsWith('/') || intoDirectory) return { directory: destination, name: baseName(source) };
  return { directory: posix.dirname(destination), name: baseName(destination) };
}

async function absentAs<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw notFound(path);
    throw error;
  }
}

function baseName(path: string): string {
  return posix.basename(posix.normalize(path)) || '/';
}

function notFound(path: string): EngineError {
  return new EngineError('notFound', `${path}: no such file or directory`);
}

// biome-ignore lint/correctness/useYield: a stream that fails before its first byte
async function* failing(error: unknown): AsyncGenerator<Uint8Array> {
  throw error;
}
