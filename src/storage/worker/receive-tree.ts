import {
  type BigIntStats,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import { mknod } from '../../linux/files.ts';
import { EngineError } from '../../stdx/errors.ts';
import { removeRecursively } from '../../stdx/remove-recursively.ts';
import { applyMode, applyOwner, applyTimes, ifExists } from './attributes.ts';
import { archiveError, invalidEntry } from './errors.ts';
import { writeXattrs } from './xattrs.ts';

type SpecialType = keyof typeof specialModes;

const specialModes = { fifo: constants.S_IFIFO, char: constants.S_IFCHR, block: constants.S_IFBLK };

/** One file of a tree that somebody else has, in the order of a walk: a directory before what is in it. */
export interface TreeEntry {
  /** Relative, `/` between elements. */
  path: string;
  type: 'file' | 'directory' | 'symlink' | 'hardlink' | SpecialType;
  permissions: number;
  size: number;
  mtimeNs: bigint;
  /** Where a symlink leads; of a hard link, the path of an earlier entry. Otherwise ''. */
  link: string;
  /** Of `char` and `block`. */
  device?: { major: number; minor: number };
  xattrs?: ReadonlyMap<string, Uint8Array>;
}

/**
 *     main   -> { entries } ... -> 'all' , and { chunks } ...
 *     worker -> { wanted: indexes of the files whose content it has not } ..., { usedBytes } ...
 *
 * Entries count from 0. A file's chunks come in order, those of several files in turn; an empty one is its end.
 */
export type TreeMessage = { entries: TreeEntry[] } | 'all' | { chunks: [index: number, chunk: Uint8Array][] };
export type TreeAnswer = { wanted: number[] } | { usedBytes: number };

export interface ReceivedTree {
  entries: number;
  /** Of all files, also of those that were here. */
  contentBytes: number;
  /** What had to be sent. */
  receivedBytes: number;
}

/** A client that sends data for more files at once is not one of BuildKit's, which send four. */
const maxOpenFiles = 64;

/** Makes the worker's root what the other side says its tree is. Settles when all of it is here. */
export function receiveTree(port: MessagePort): Promise<ReceivedTree> {
  const receiver = new TreeReceiver();
  const { promise, resolve, reject } = Promise.withResolvers<ReceivedTree>();
  const settle = () => {
    receiver.finish();
    resolve(receiver.received);
    port.close();
  };
  port.on('message', (message: TreeMessage) => {
    try {
      if (message === 'all') {
        receiver.all();
        if (receiver.complete) settle();
      } else if ('entries' in message) {
        const wanted = message.entries.flatMap(entry => receiver.entry(entry) ?? []);
        if (wanted.length > 0) port.postMessage({ wanted } satisfies TreeAnswer);
      } else {
        let usedBytes = 0;
        for (const [index, chunk] of message.chunks) {
          receiver.data(index, chunk);
          usedBytes += chunk.length;
        }
        port.postMessage({ usedBytes } satisfies TreeAnswer);
        if (receiver.complete) settle();
      }
    } catch (error) {
      receiver.abort();
      reject(error instanceof EngineError ? error : archiveError('receiving files', error));
      port.close();
    }
  });
  port.on('close', () => {
    receiver.abort();
    reject(new EngineError('cancelled', 'the sender of a tree went away'));
  });
  return promise;
}

/**
 * What is here already is compared by type, permissions, size and time, and kept when they are the same: so a context
 * that was sent before travels as a list of its files. Written files get their times last, so one that was cut off
 * never looks like the one that was meant.
 */
class TreeReceiver {
  readonly received: ReceivedTree = { entries: 0, contentBytes: 0, receivedBytes: 0 };
  /** Names of each directory. */
  readonly #directories = new Map<string, Set<string>>([['', new Set()]]);
  readonly #directoryEntries: TreeEntry[] = [];
  /** Files to come, by index; with a descriptor once the first of it has. */
  readonly #pending = new Map<number, { entry: TreeEntry; fd: number; offset: number }>();
  #open = 0;
  #all = false;

  get complete(): boolean {
    return this.#all && this.#pending.size === 0;
  }

  /** @returns the entry's index when its content is wanted */
  entry(entry: TreeEntry): number | undefined {
    if (this.#all) throw invalidEntry('a file after the end of the list');
    const index = this.received.entries++;
    const siblings = this.#namesBeside(entry.path);
    const name = nameOf(entry.path);
    if (siblings === undefined || name === '' || name === '.' || name === '..' || name.includes('\0')) {
      throw invalidEntry(`invalid path ${JSON.stringify(entry.path.slice(0, 300))}`);
    }
    if (siblings.has(name)) throw invalidEntry(`${JSON.stringify(entry.path)} comes twice`);
    siblings.add(name);
    const path = `/${entry.path}`;
    const present = ifExists(() => lstatSync(path, { bigint: true }));
    switch (entry.type) {
      case 'directory':
        this.#directory(entry, path, present);
        return undefined;
      case 'symlink':
        this.#symlink(entry, path, present);
        return undefined;
      case 'hardlink':
        this.#hardlink(entry, path, present);
        return undefined;
      case 'file':
        return this.#file(entry, path, present, index);
      default:
        this.#special(entry, specialModes[entry.type], path, present);
        return undefined;
    }
  }

  /** The list is complete: what is here and not in it goes. */
  all(): void {
    this.#all = true;
    for (const [directory, names] of this.#directories) {
      for (const name of readdirSync(`/${directory}`, { encoding: 'buffer' })) {
        if (names.has(name.toString('utf8'))) continue;
        removeRecursively(Buffer.concat([Buffer.from(`/${directory}/`), name]));
      }
    }
  }

  data(index: number, chunk: Uint8Array): void {
    const file = this.#pending.get(index);
    if (file === undefined) throw invalidEntry(`data of a file that was not asked for (${index})`);
    if (file.fd === -1) {
      if (++this.#open > maxOpenFiles) throw invalidEntry('too many files at once');
      file.fd = openSync(`/${file.entry.path}`, writing, 0o600);
    }
    if (chunk.length > 0) {
      for (let at = 0; at < chunk.length; )
        at += writeSync(file.fd, chunk, at, chunk.length - at, file.offset + at);
      file.offset += chunk.length;
      this.received.receivedBytes += chunk.length;
      return;
    }
    this.#close(file);
    this.#pending.delete(index);
    applyAll(`/${file.entry.path}`, file.entry);
  }

  finish(): void {
    // The deepest first: making files in a directory has changed its time.
    for (const entry of this.#directoryEntries.reverse()) applyTimes(`/${entry.path}`, entry.mtimeNs);
  }

  abort(): void {
    for (const file of this.#pending.values()) if (file.fd !== -1) this.#close(file);
    this.#pending.clear();
  }

  #directory(entry: TreeEntry, path: string, present: BigIntStats | undefined): void {
    this.#directories.set(entry.path, new Set());
    this.#directoryEntries.push(entry);
    if (present?.isDirectory() !== true) {
      if (present !== undefined) removeRecursively(path);
      mkdirSync(path, 0o700);
    } else if ((Number(present.mode) & 0o7777) === entry.permissions) return;
    applyOwner(path, root);
    applyMode(path, entry.permissions);
    if (entry.xattrs !== undefined) writeXattrs(path, buffersOf(entry.xattrs));
  }

  #symlink(entry: TreeEntry, path: string, present: BigIntStats | undefined): void {
    if (present?.isSymbolicLink() === true && readlinkSync(path) === entry.link) {
      if (present.mtimeNs !== entry.mtimeNs) applyTimes(path, entry.mtimeNs);
      return;
    }
    if (present !== undefined) removeRecursively(path);
    symlinkSync(entry.link, path);
    applyOwner(path, root);
    applyTimes(path, entry.mtimeNs);
  }

  #hardlink(entry: TreeEntry, path: string, present: BigIntStats | undefined): void {
    if (entry.link === entry.path || this.#namesBeside(entry.link)?.has(nameOf(entry.link)) !== true)
      throw invalidEntry(`${JSON.stringify(entry.path)} is a link to what did not come before it`);
    const target = `/${entry.link}`;
    const stat = lstatSync(target, { bigint: true });
    if (!stat.isFile()) throw invalidEntry(`${JSON.stringify(entry.path)} is a hard link to no file`);
    if (present?.ino === stat.ino) return;
    if (present !== undefined) removeRecursively(path);
    linkSync(target, path);
  }

  #file(entry: TreeEntry, path: string, present: BigIntStats | undefined, index: number): number | undefined {
    this.received.contentBytes += entry.size;
    if (present?.isFile() === true && isSame(entry, present)) return undefined;
    if (present !== undefined) removeRecursively(path);
    // At once, so that a hard link to it finds it.
    closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | writing, 0o600));
    if (entry.size === 0) {
      applyAll(path, entry);
      return undefined;
    }
    this.#pending.set(index, { entry, fd: -1, offset: 0 });
    return index;
  }

  #special(entry: TreeEntry, mode: number, path: string, present: BigIntStats | undefined): void {
    const { major, minor } = entry.device ?? { major: 0, minor: 0 };
    // To overlayfs this is a file that was removed.
    if (entry.type === 'char' && major === 0 && minor === 0)
      throw invalidEntry(`${JSON.stringify(entry.path)} is the device 0, 0`);
    if (present !== undefined) removeRecursively(path);
    mknod(path, mode | 0o600, major, minor);
    applyAll(path, entry);
  }

  #namesBeside(path: string): Set<string> | undefined {
    const parent = parentOf(path);
    return parent === undefined ? undefined : this.#directories.get(parent);
  }

  #close(file: { fd: number }): void {
    closeSync(file.fd);
    file.fd = -1;
    this.#open--;
  }
}

const writing = constants.O_WRONLY | constants.O_NOFOLLOW;
const root = { uid: 0, gid: 0 };

function isSame(entry: TreeEntry, present: BigIntStats): boolean {
  return (
    Number(present.size) === entry.size &&
    present.mtimeNs === entry.mtimeNs &&
    (Number(present.mode) & 0o7777) === entry.permissions
  );
}

/** Owner before mode, which it would clear bits of; times last. */
function applyAll(path: string, entry: TreeEntry): void {
  applyOwner(path, root);
  applyMode(path, entry.permissions);
  if (entry.xattrs !== undefined) writeXattrs(path, buffersOf(entry.xattrs));
  applyTimes(path, entry.mtimeNs);
}

function buffersOf(xattrs: ReadonlyMap<string, Uint8Array>): Map<string, Buffer> {
  return new Map(Array.from(xattrs, ([name, value]) => [name, Buffer.from(value)]));
}

/** undefined for an absolute path: its parent is in no list. */
function parentOf(path: string): string | undefined {
  const slash = path.lastIndexOf('/');
  if (slash === 0) return undefined;
  return slash === -1 ? '' : path.slice(0, slash);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
