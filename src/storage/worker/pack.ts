import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { asPath, decodeName } from '../../archive/names.ts';
import { paddingOf, type TarEntryType } from '../../archive/tar-header.ts';
import { encodeEnd, encodeHeader, type TarHeaderInit } from '../../archive/tar-writer.ts';
import { majorOf, minorOf } from '../../linux/files.ts';
import { errnoOf } from '../../stdx/errors.ts';
import { fromKernel } from './owners.ts';
import { isOpaque, isWhiteout, opaqueName, whiteoutPrefix } from './whiteouts.ts';
import { readXattrs } from './xattrs.ts';

export interface PackSettings {
  /** Absolute, in the worker's root. */
  path: string;
  /** Name of the top entry; the rest is below it. '' for a directory: its content alone, named from it. */
  name: string;
  /** Overlay's whiteouts and opaque directories are turned into the archive's. */
  layer: boolean;
  /** Nanoseconds; else whole seconds, as Docker's archives have. */
  preciseTimes: boolean;
  /** Only these, relative to path, in this order; a directory without its content. */
  only?: readonly string[];
  /** A chunk is good until the next one is asked for: nothing fresh is allocated. */
  reuse?: boolean;
}

export interface PackResult {
  entries: number;
  /** Bytes of the files' contents. */
  size: number;
}

/**
 * A tree as a tar: the same tree gives the same bytes, whenever and wherever it is read. Names are sorted; of a file
 * with several names the first has the content and the others are hard links; no access times, no names of users.
 * Sockets are left out, as nobody can make one from an archive. Yields chunks that the receiver may keep, unless it is told otherwise.
 *
 * What a container changes meanwhile is taken as found: a file that shrinks is filled up with zeros, one that grows
 * is cut, one that is gone is left out.
 */
export class Packer {
  readonly #settings: PackSettings;
  /** First names of files with several, by device and inode. */
  readonly #links = new Map<string, string>();
  readonly result: PackResult = { entries: 0, size: 0 };
  #chunk = Buffer.allocUnsafeSlow(chunkSize);
  #used = 0;

  constructor(settings: PackSettings) {
    this.#settings = settings;
  }

  *chunks(): Generator<Buffer, void, undefined> {
    const { path, name, only } = this.#settings;
    if (only === undefined) {
      const stat = lstatSync(asPath(path), { bigint: true });
      yield* this.#tree(path, name, stat);
    } else {
      for (const relative of only) yield* this.#one(relative);
    }
    yield* this.#bytes(encodeEnd());
    if (this.#used > 0) yield this.#chunk.subarray(0, this.#used);
  }

  *#tree(path: string, name: string, stat: BigIntStats): Generator<Buffer> {
    if (!stat.isDirectory()) {
      yield* this.#entry(path, name, stat);
      return;
    }
    if (name !== '') yield* this.#entry(path, name, stat);
    if (this.#settings.layer && isOpaque(asPath(path))) yield* this.#marker(joined(name, opaqueName));
    for (const child of sortedNames(path)) {
      const childPath = joined(path, child);
      const childStat = ifPresent(() => lstatSync(asPath(childPath), { bigint: true }));
      if (childStat !== undefined) yield* this.#tree(childPath, joined(name, child), childStat);
    }
  }

  *#one(relative: string): Generator<Buffer> {
    const { path, name } = this.#settings;
    const own = relative === '' ? path : joined(path, relative);
    const stat = lstatSync(asPath(own), { bigint: true });
    const ownName = relative === '' ? name : joined(name, relative);
    if (ownName !== '') yield* this.#entry(own, ownName, stat);
  }

  *#entry(path: string, name: string, stat: BigIntStats): Generator<Buffer> {
    if (this.#settings.layer && isWhiteout(stat)) {
      const slash = name.lastIndexOf('/') + 1;
      yield* this.#marker(`${name.slice(0, slash)}${whiteoutPrefix}${name.slice(slash)}`);
      return;
    }
    const first = this.#firstName(name, stat);
    if (first !== undefined)
      yield* this.#header({ ...this.#attributesOf(stat, 'hardlink', name), linkName: first });
    else if (stat.isFile()) yield* this.#file(path, name);
    else yield* this.#special(path, name, stat);
  }

  /** Nothing of the whiteout's own attributes goes in: overlayfs shares one inode among many of them. */
  #marker(name: string): Generator<Buffer> {
    return this.#header({ name, type: 'file', mode: 0o600 });
  }

  /** The name this file already went in by. */
  #firstName(name: string, stat: BigIntStats): string | undefined {
    if (stat.nlink < 2n || stat.isDirectory() || stat.isSocket()) return undefined;
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#links.get(key);
    if (first === undefined) this.#links.set(key, name);
    return first;
  }

  *#file(path: string, name: string): Generator<Buffer> {
    const native = asPath(path);
    // It may have been swapped for something else since lstat; O_NONBLOCK keeps a fifo from stopping us.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
    const fd = ifPresent(() => openSync(native, flags));
    if (fd === undefined) return;
    try {
      const stat = fstatSync(fd, { bigint: true });
      if (!stat.isFile()) return;
      const generated = sizeMayLie(stat) ? readWhole(fd) : undefined;
      const size = generated?.length ?? Number(stat.size);
      yield* this.#header({ ...this.#attributesOf(stat, 'file', name), size, xattrs: readXattrs(native) });
      this.result.size += size;
      if (generated === undefined) yield* this.#content(fd, size);
      else yield* this.#whole(generated);
    } finally {
      closeSync(fd);
    }
  }

  *#content(fd: number, size: number): Generator<Buffer> {
    let rest = size;
    while (rest > 0) {
      if (this.#used === chunkSize) yield this.#take();
      const wanted = Math.min(rest, chunkSize - this.#used);
      const read = readSync(fd, this.#chunk, this.#used, wanted, null);
      if (read === 0) break;
      this.#used += read;
      rest -= read;
    }
    yield* this.#zeros(rest + paddingOf(size));
  }

  *#whole(content: Buffer): Generator<Buffer> {
    yield* this.#bytes(content);
    yield* this.#zeros(paddingOf(content.length));
  }

  *#special(path: string, name: string, stat: BigIntStats): Generator<Buffer> {
    const type = typeOf(stat);
    if (type === undefined) return;
    const native = asPath(path);
    const header: TarHeaderInit = { ...this.#attributesOf(stat, type, name), xattrs: readXattrs(native) };
    if (type === 'symlink') {
      header.linkName = decodeName(readlinkSync(native, { encoding: 'buffer' }));
      // Docker counts what lstat calls a link's size (moby, pkg/directory).
      this.result.size += Number(stat.size);
    }
    if (type === 'char' || type === 'block') {
      header.devMajor = majorOf(stat.rdev);
      header.devMinor = minorOf(stat.rdev);
    }
    yield* this.#header(header);
  }

  #attributesOf(stat: BigIntStats, type: TarEntryType, name: string): TarHeaderInit {
    return {
      name,
      type,
      mode: Number(stat.mode) & 0o7777,
      ...fromKernel(stat),
      mtimeNs: this.#settings.preciseTimes ? stat.mtimeNs : floorToSeconds(stat.mtimeNs),
    };
  }

  *#header(header: TarHeaderInit): Generator<Buffer> {
    this.result.entries++;
    yield* this.#bytes(encodeHeader(header));
  }

  *#bytes(bytes: Buffer): Generator<Buffer> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#used === chunkSize) yield this.#take();
      const copied = bytes.copy(this.#chunk, this.#used, at);
      this.#used += copied;
      at += copied;
    }
  }

  *#zeros(length: number): Generator<Buffer> {
    for (let rest = length; rest > 0; ) {
      if (this.#used === chunkSize) yield this.#take();
      const filled = Math.min(rest, chunkSize - this.#used);
      this.#chunk.fill(0, this.#used, this.#used + filled);
      this.#used += filled;
      rest -= filled;
    }
  }

  #take(): Buffer {
    const full = this.#chunk;
    if (this.#settings.reuse !== true) this.#chunk = Buffer.allocUnsafeSlow(chunkSize);
    this.#used = 0;
    return full;
  }
}

const chunkSize = 1 << 20;

/** Files of /proc and /sys come into being when they are read: they are said to be empty, or as long as a page. */
function sizeMayLie({ size, blocks }: BigIntStats): boolean {
  return blocks === 0n && size <= 65536n;
}

/** Up to 16 MB. */
function readWhole(fd: number): Buffer {
  const parts: Buffer[] = [];
  for (let read = -1; read !== 0 && parts.length < 256; ) {
    const part = Buffer.allocUnsafe(65536);
    read = readSync(fd, part, 0, part.length, null);
    parts.push(part.subarray(0, read));
  }
  return Buffer.concat(parts);
}

export function joined(directory: string, name: string): string {
  if (directory === '') return name;
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

/** In the order of JavaScript's strings, which does not depend on a locale. */
export function sortedNames(directory: string): string[] {
  const native = asPath(directory);
  const names = readdirSync(native, { encoding: 'utf8' }) as string[];
  // A replacement character may stand for bytes that are no UTF-8: read again, as bytes.
  const exact = names.some(name => name.includes('\ufffd'))
    ? readdirSync(native, { encoding: 'buffer' }).map(name => decodeName(name as Buffer))
    : names;
  return exact.sort();
}

/** undefined for a socket. */
function typeOf(stat: BigIntStats): TarEntryType | undefined {
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : undefined;
}

export function floorToSeconds(timeNs: bigint): bigint {
  const rest = timeNs % 1_000_000_000n;
  return timeNs - (rest < 0n ? rest + 1_000_000_000n : rest);
}

/** Undefined for what a container has just removed or changed into something else. */
function ifPresent<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
