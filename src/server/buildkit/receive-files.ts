import {
  fileSyncHeader,
  fileSyncService,
  goFileMode,
  packetType,
  type statMessage,
} from '../../api/buildkit/filesync.ts';
import type { MessageOf } from '../../api/protobuf.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { ConfinedRoot } from '../../storage/confined.ts';
import type { ReceivedTree, TreeEntry } from '../../storage/tree-reception.ts';
import type { BuildSession } from './sessions.ts';

/** Which files of a client's directory are wanted. */
export interface FileSelection {
  /** The name under which the client offers the directory: `context`. */
  directory: string;
  include?: readonly string[];
  /** As in .dockerignore. */
  exclude?: readonly string[];
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

/** Brings a tree to what the client has: what is there already, with the same size and time, is not sent again. */
export async function receiveDirectory(
  session: BuildSession,
  selection: FileSelection,
  root: ConfinedRoot,
  options: { signal: AbortSignal; progress?: (receivedBytes: number) => void },
): Promise<ReceivedTree> {
  let reception: ReturnType<ConfinedRoot['receiveTree']> | undefined;
  await receive(session, selection, options, want => {
    reception = root.receiveTree(want);
    return reception;
  });
  return reception!.done;
}

/** A few small files, by path. @throws EngineError `invalid` when they are larger than the limit together */
export async function receiveSmallFiles(
  session: BuildSession,
  selection: FileSelection,
  options: { signal: AbortSignal; limitBytes?: number },
): Promise<Map<string, Buffer>> {
  const sink = new Map<string, Buffer>();
  await receive(
    session,
    selection,
    options,
    want => new MemorySink(sink, want, options.limitBytes ?? 8 << 20),
  );
  return sink;
}

async function receive(
  session: BuildSession,
  selection: FileSelection,
  { signal, progress }: { signal: AbortSignal; progress?: (receivedBytes: number) => void },
  open: (want: Want) => FileSink,
): Promise<void> {
  const { path, request, response } = fileSyncService.diffCopy;
  const exchange = session.connection.call(path, { metadata: metadataOf(selection), signal });
  const send = (packet: Parameters<typeof request.encode>[0]) => {
    exchange.send(request.encode(packet)).catch(() => {
      // The end of the stream says why.
    });
  };
  const sink = open(indexes => {
    for (const id of indexes) send({ type: packetType.request, id });
  });
  // Told at once: the client would wait for ever for requests that no longer come.
  const failed = sink.done.catch(error => {
    send({ type: packetType.error, data: Buffer.from(String((error as Error).message)) });
    exchange.cancel();
  });
  let received = 0;
  let entries = 0;
  try {
    const finished = sink.done.then(
      () => send({ type: packetType.fin }),
      () => {},
    );
    for await (const message of exchange.messages) {
      const packet = response.decode(message);
      received += message.length;
      switch (packet.type) {
        case packetType.stat:
          if (packet.stat === undefined) sink.all();
          else sink.entry(entryOf(packet.stat), entries++);
          break;
        case packetType.data: {
          const ready = sink.data(packet.id, packet.data);
          if (ready !== undefined) await ready;
          break;
        }
        case packetType.error:
          throw new EngineError('invalid', `error from sender: ${packet.data.toString('utf8')}`);
        case packetType.fin:
          exchange.end();
          break;
        default:
          throw new EngineError('invalid', `unexpected packet of type ${packet.type}`);
      }
      progress?.(received);
    }
    await finished;
  } catch (error) {
    sink.abort();
    await failed;
    // A failure of our side ends the stream, too, and is the reason.
    await sink.done.catch(reason => {
      if (!(reason instanceof EngineError) || reason.kind !== 'cancelled') throw reason;
    });
    signal.throwIfAborted();
    throw error;
  } finally {
    exchange.cancel();
  }
  await sink.done;
}

function metadataOf({ directory, include, exclude }: FileSelection): Map<string, string[]> {
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
  if (has(goFileMode.device) || has(goFileMode.namedPipe)) {
    throw new EngineError('invalid', `${stat.path}: devices and pipes are not allowed in a build context`);
  }
  const type = has(goFileMode.directory)
    ? 'directory'
    : has(goFileMode.symlink)
      ? 'symlink'
      : stat.linkname === ''
        ? 'file'
        : 'hardlink';
  return {
    path: stat.path,
    type,
    permissions,
    size: type === 'file' ? stat.size : 0,
    mtimeNs: stat.modTime,
    link: stat.linkname,
    ...(stat.xattrs.size === 0 ? {} : { xattrs: stat.xattrs }),
  };
}

/** Keeps regular files in memory; everything else is passed over. */
class MemorySink implements FileSink {
  readonly done: Promise<void>;
  readonly #files: Map<string, Buffer>;
  readonly #want: Want;
  readonly #limitBytes: number;
  readonly #pending = new Map<number, { path: string; chunks: Buffer[] }>();
  readonly #settle: { resolve: () => void; reject: (error: unknown) => void };
  #bytes = 0;
  #all = false;

  constructor(files: Map<string, Buffer>, want: Want, limitBytes: number) {
    this.#files = files;
    this.#want = want;
    this.#limitBytes = limitBytes;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.done.catch(() => {});
    this.#settle = { resolve, reject };
  }

  entry(entry: TreeEntry, index: number): void {
    if (entry.type !== 'file') return;
    if (this.#pending.size >= 1000) throw new EngineError('invalid', 'more files than were asked for');
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
      if (this.#bytes > this.#limitBytes) {
        throw new EngineError('invalid', `${file.path} has more than ${this.#limitBytes} bytes`);
      }
      file.chunks.push(Buffer.from(chunk));
      return;
    }
    this.#pending.delete(index);
    this.#files.set(file.path, Buffer.concat(file.chunks));
    if (this.#all && this.#pending.size === 0) this.#settle.resolve();
  }

  abort(): void {
    this.#settle.reject(new EngineError('cancelled', 'the transfer was given up'));
  }
}
