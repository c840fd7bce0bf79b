import { createHash } from 'node:crypto';
import {
  fileDigestService,
  fileSyncHeader,
  fileSyncService,
  goFileMode,
  packetMessage,
  packetType,
  smallFilesLimitBytes,
  smallFilesService,
  type statMessage,
} from '../../api/buildkit/filesync.ts';
import type { GrpcExchange } from '../../api/grpc/client.ts';
import { grpcHeaderBytes, type MessageRun, messageAt } from '../../api/grpc/framing.ts';
import { GrpcError, grpcCode } from '../../api/grpc/status.ts';
import type { MessageOf } from '../../api/protobuf.ts';
import { EngineError } from '../../stdx/errors.ts';
import { followLinksIn } from '../../stdx/follow-links.ts';
import type { ConfinedRoot } from '../../storage/confined.ts';
import type { TreeEntry } from '../../storage/tree-reception.ts';
import { ListDigests } from './list-digests.ts';
import type { BuildSession } from './sessions.ts';

/** Which files of a client's directory are wanted. */
export interface FileSelection {
  /** The name under which the client offers the directory: `context`. */
  directory: string;
  include?: readonly string[];
  /** As in .dockerignore. */
  exclude?: readonly string[];
  /** Paths that are wanted with what they lead to through links. */
  follow?: readonly string[];
}

/** Where received files go. */
interface FileSink {
  entry(entry: TreeEntry, index: number): void;
  /** All entries were told. */
  all(): void;
  data(index: number, chunk: Buffer): Promise<void> | void;
  /** When everything wanted is there, or it cannot be. */
  done: Promise<unknown>;
  abort(): void;
}

type Want = (indexes: readonly number[]) => void;

/** What the client's list of files was the last time a directory was complete: see ListDigests. */
export type KnownList = readonly string[];

/**
 * Brings a tree to what the client has: what is there already, with the same size and time, is not sent again. When the
 * client's list is the known one to the last byte, nothing is looked at.
 * @param open the tree; not asked for when it is as it should be
 * @returns the list, for the next time
 */
export async function receiveDirectory(
  session: BuildSession,
  selection: FileSelection,
  open: () => Promise<ConfinedRoot>,
  options: { signal: AbortSignal; known?: KnownList | undefined },
): Promise<{ receivedBytes: number; list: KnownList }> {
  let reception: ReturnType<ConfinedRoot['receiveTree']> | undefined;
  const list = await receive(session, selection, options, async want => {
    reception = (await open()).receiveTree(want);
    return reception;
  });
  const { receivedBytes } = (await reception?.done) ?? { receivedBytes: 0 };
  return { receivedBytes, list };
}

/** What the client's digest of its files is; undefined: it tells none, as others than Gantry's. */
export async function digestOfDirectory(
  session: BuildSession,
  selection: FileSelection,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const { digest } = fileDigestService;
  if (!session.methods.has(digest.path)) return undefined;
  try {
    const answer = await session.call(digest, {}, { metadata: metadataOf(selection), signal });
    return createHash('sha256').update(answer.digest).digest();
  } catch (error) {
    signal.throwIfAborted();
    // What stands in the way is told by the transfer.
    if (error instanceof GrpcError) return undefined;
    throw error;
  }
}

/**
 * A few small files, by path, also those that are links to others.
 * @throws EngineError `invalid` when they are larger than the limit together
 */
export async function receiveSmallFiles(
  session: BuildSession,
  directory: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const links = new Map<string, string>();
  const selection = { directory, follow: paths };
  await receive(session, selection, { signal }, async want => new MemorySink({ files, links }, want));
  const found = new Map<string, Buffer>();
  for (const path of paths) {
    const data = files.get(followLinksIn(path, one => links.get(one)) ?? '');
    if (data !== undefined) found.set(path, data);
  }
  return found;
}

/**
 * The same of several directories in one answer, which Gantry's client gives. A name has no slash.
 * @returns what is in each, undefined where there is none; undefined instead of the list: such an answer cannot be had
 */
export async function askForSmallFiles(
  session: BuildSession,
  files: readonly { directory: string; name: string }[],
  signal: AbortSignal,
): Promise<(Buffer | undefined)[] | undefined> {
  const { read } = smallFilesService;
  if (!session.methods.has(read.path) || files.some(({ name }) => name.includes('/'))) return undefined;
  const answer = await session.call(read, { files }, { signal });
  return files.map((_, index) => {
    const file = answer.files[index];
    return file?.found === true ? file.data : undefined;
  });
}

async function receive(
  session: BuildSession,
  selection: FileSelection,
  { signal, known }: { signal: AbortSignal; known?: KnownList | undefined },
  open: (want: Want) => Promise<FileSink>,
): Promise<KnownList> {
  const exchange = session.connection.call(fileSyncService.diffCopy.path, {
    metadata: metadataOf(selection),
    signal,
  });
  const reception = new Reception(exchange, known, open);
  try {
    for await (const run of exchange.runs) await reception.take(run);
    await reception.finished();
  } catch (error) {
    await reception.abort();
    signal.throwIfAborted();
    if (!(error instanceof GrpcError) || error.code !== grpcCode.unimplemented) throw error;
    // Clients do not offer a directory when standard input is the Dockerfile, and there was nothing in it.
    throw new EngineError('invalid', 'no local sources enabled', { cause: error });
  } finally {
    exchange.cancel();
  }
  return reception.list;
}

/** One transfer. As long as the client's list is the known one, its messages are held back, and nothing is opened. */
class Reception {
  readonly #exchange: GrpcExchange;
  readonly #open: (want: Want) => Promise<FileSink>;
  readonly #known: KnownList | undefined;
  readonly #list = new ListDigests();
  readonly #held: MessageRun[] = [];
  #state: 'comparing' | 'unchanged' | 'receiving' = 'comparing';
  /** All of the list has come. */
  #listed = false;
  #entries = 0;
  #sink: FileSink | undefined;
  #failed: Promise<unknown> | undefined;
  #finSent: Promise<unknown> | undefined;

  constructor(exchange: GrpcExchange, known: KnownList | undefined, open: (want: Want) => Promise<FileSink>) {
    this.#exchange = exchange;
    this.#open = open;
    this.#known = known;
  }

  get list(): KnownList {
    return this.#list.parts;
  }

  /** Settles when more may come. */
  async take(run: MessageRun): Promise<void> {
    const isKnown = !this.#listed && this.#note(run);
    if (this.#state !== 'comparing') return this.#read(run);
    this.#held.push(run);
    if (!isKnown) return this.#begin();
    if (!this.#listed) return;
    this.#state = 'unchanged';
    this.#send({ type: packetType.fin });
  }

  /** The stream has ended. */
  async finished(): Promise<void> {
    if (!this.#listed) throw new EngineError('invalid', 'the list of files ended half-way');
    await this.#finSent;
    await this.#sink?.done;
  }

  /** @throws what went wrong on our side, which ends the stream, too, and is the reason */
  async abort(): Promise<void> {
    this.#sink?.abort();
    await this.#failed;
    await this.#sink?.done.catch(reason => {
      if (!(reason instanceof EngineError) || reason.kind !== 'cancelled') throw reason;
    });
  }

  /**
   * Adds what is part of the list to it, message by message only where something else is among them.
   * @returns whether the list is the known one as far as it has come
   */
  #note(run: MessageRun): boolean {
    const { bytes, bounds } = run;
    const before = this.#list.parts.length;
    let end = bounds.length - 1;
    let isAll = true;
    for (let index = 0; index < end; index++) {
      if (isEntry(run, index)) continue;
      const { type, stat } = packetMessage.decode(messageAt(run, index));
      if (type === packetType.stat && stat === undefined) {
        this.#listed = true;
        isAll &&= index === end - 1;
        end = index;
      } else isAll = false;
    }
    if (isAll) this.#list.add(bytes.subarray(bounds[0], bounds[end]));
    else {
      for (let index = 0; index < end; index++) {
        if (isEntry(run, index)) this.#list.add(bytes.subarray(bounds[index], bounds[index + 1]));
      }
    }
    if (this.#listed) this.#list.end();
    if (!isAll || this.#known === undefined || !this.#list.begins(this.#known, before)) return false;
    return !this.#listed || this.#list.parts.length === this.#known.length;
  }

  /** Something is not as it was: what was held back is read after all. */
  async #begin(): Promise<void> {
    this.#state = 'receiving';
    const sink = await this.#open(indexes => {
      for (const id of indexes) this.#send({ type: packetType.request, id });
    });
    this.#sink = sink;
    // Told at once: the client would wait for ever for requests that no longer come.
    this.#failed = sink.done.catch(error => {
      this.#send({ type: packetType.error, data: Buffer.from(String((error as Error).message)) });
      this.#exchange.cancel();
    });
    this.#finSent = sink.done.then(
      () => this.#send({ type: packetType.fin }),
      () => {},
    );
    for (const run of this.#held.splice(0)) await this.#read(run);
  }

  async #read(run: MessageRun): Promise<void> {
    for (let index = 0; index + 1 < run.bounds.length; index++) {
      const ready = this.#packet(messageAt(run, index));
      if (ready !== undefined) await ready;
    }
  }

  #packet(message: Buffer): Promise<void> | undefined {
    const packet = packetMessage.decode(message);
    switch (packet.type) {
      case packetType.stat:
        if (packet.stat === undefined) this.#sink?.all();
        else this.#sink?.entry(entryOf(packet.stat), this.#entries++);
        return undefined;
      case packetType.data:
        return this.#sink?.data(packet.id, packet.data) ?? undefined;
      case packetType.error:
        throw new EngineError('invalid', `error from sender: ${packet.data.toString('utf8')}`);
      case packetType.fin:
        this.#exchange.end();
        return undefined;
      default:
        throw new EngineError('invalid', `unexpected packet of type ${packet.type}`);
    }
  }

  #send(packet: Parameters<typeof packetMessage.encode>[0]): void {
    this.#exchange.send(packetMessage.encode(packet)).catch(() => {
      // The end of the stream says why.
    });
  }
}

/** How a packet with a file's attributes begins: field 2, with a length. The type before it is 0 and not written. */
const statTag = 0x12;

/** Told without decoding: an unchanged list is not looked at any closer. */
function isEntry({ bytes, bounds }: MessageRun, index: number): boolean {
  const start = bounds[index]! + grpcHeaderBytes;
  return start < bounds[index + 1]! && bytes[start] === statTag;
}

function metadataOf({ directory, include, exclude, follow }: FileSelection): Map<string, string[]> {
  const metadata = new Map([[fileSyncHeader.directory, [directory]]]) as Map<string, string[]>;
  const add = (name: string, values: readonly string[] | undefined) => {
    if (values === undefined || values.length === 0) return;
    // Headers are ASCII.
    if (values.every(value => /^[\x20-\x7e]*$/.test(value))) metadata.set(name, [...values]);
    else {
      metadata.set(name, values.map(queryEscape));
      metadata.set(`${name}-encoded`, ['1']);
    }
  };
  add(fileSyncHeader.include, include);
  add(fileSyncHeader.exclude, exclude);
  add(fileSyncHeader.follow, follow);
  return metadata;
}

function queryEscape(text: string): string {
  return encodeURIComponent(text).replaceAll('%20', '+');
}

function entryOf(stat: MessageOf<typeof statMessage>): TreeEntry {
  const has = (bit: number) => Math.floor(stat.mode / bit) % 2 === 1;
  const permissions =
    (stat.mode & 0o777) |
    (has(goFileMode.setuid) ? 0o4000 : 0) |
    (has(goFileMode.setgid) ? 0o2000 : 0) |
    (has(goFileMode.sticky) ? 0o1000 : 0);
  const type = typeOf(stat, has);
  return {
    path: stat.path,
    type,
    permissions,
    size: type === 'file' ? stat.size : 0,
    mtimeNs: stat.modTime,
    link: stat.linkname,
    ...(has(goFileMode.device) ? { device: { major: stat.devmajor, minor: stat.devminor } } : {}),
    ...(stat.xattrs.size === 0 ? {} : { xattrs: stat.xattrs }),
  };
}

/** A socket is an empty file. */
function typeOf(stat: MessageOf<typeof statMessage>, has: (bit: number) => boolean): TreeEntry['type'] {
  if (has(goFileMode.directory)) return 'directory';
  if (has(goFileMode.symlink)) return 'symlink';
  if (has(goFileMode.namedPipe)) return 'fifo';
  if (has(goFileMode.device)) return has(goFileMode.characterDevice) ? 'char' : 'block';
  return stat.linkname === '' ? 'file' : 'hardlink';
}

/** Keeps regular files in memory, and where links lead; everything else is passed over. */
class MemorySink implements FileSink {
  readonly done: Promise<void>;
  readonly #kept: { files: Map<string, Buffer>; links: Map<string, string> };
  readonly #want: Want;
  readonly #pending = new Map<number, { path: string; chunks: Buffer[] }>();
  readonly #settle: { resolve: () => void; reject: (error: unknown) => void };
  #bytes = 0;
  #all = false;

  constructor(kept: { files: Map<string, Buffer>; links: Map<string, string> }, want: Want) {
    this.#kept = kept;
    this.#want = want;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.done.catch(() => {});
    this.#settle = { resolve, reject };
  }

  entry(entry: TreeEntry, index: number): void {
    if (this.#pending.size + this.#kept.links.size >= 1000)
      throw new EngineError('invalid', 'more files than were asked for');
    if (entry.type === 'symlink') this.#kept.links.set(entry.path, entry.link);
    if (entry.type !== 'file') return;
    this.#pending.set(index, { path: entry.path, chunks: [] });
    this.#want([index]);
  }

  all(): void {
    this.#all = true;
    if (this.#pending.size === 0) this.#settle.resolve();
  }

  data(index: number, chunk: Buffer): void {
    const file = this.#pending.get(index);
    if (file === undefined)
      throw new EngineError('invalid', `data of a file that was not asked for (${index})`);
    if (chunk.length > 0) {
      this.#bytes += chunk.length;
      if (this.#bytes > smallFilesLimitBytes) {
        throw new EngineError('invalid', `${file.path} has more than ${smallFilesLimitBytes} bytes`);
      }
      file.chunks.push(Buffer.from(chunk));
      return;
    }
    this.#pending.delete(index);
    this.#kept.files.set(file.path, Buffer.concat(file.chunks));
    if (this.#all && this.#pending.size === 0) this.#settle.resolve();
  }

  abort(): void {
    this.#settle.reject(new EngineError('cancelled', 'the transfer was given up'));
  }
}
