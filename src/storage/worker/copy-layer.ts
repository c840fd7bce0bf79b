import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { asPath, decodeName } from '../../archive/names.ts';
import { paddingOf, type TarEntryType } from '../../archive/tar-header.ts';
import { encodeEnd, encodeHeader, type TarHeaderInit } from '../../archive/tar-writer.ts';
import { gatherSubdirectories, spreadSubdirectories } from '../../linux/files.ts';
import type { Digest } from '../../oci/digest.ts';
import { EngineError } from '../../stdx/errors.ts';
import { applyMode, applyOwner, applyTimes } from './attributes.ts';
import type { Confinement } from './confinement.ts';
import type { Owner } from './owners.ts';
import { floorToSeconds, joined, type PackResult, sortedNames } from './pack.ts';
import { type LayerTimes, settledTime } from './settle-times.ts';
import { lookUp } from './upper.ts';
import { readXattrs, writeXattrs } from './xattrs.ts';

/** The content of a directory, to become a layer. */
export interface CopiedFiles {
  /** On the host. Nobody writes there meanwhile. */
  root: string;
  /** The directory in it: absolute, without symbolic links. */
  path: string;
  /** Only these, relative to path, directories on the way included; default: everything. */
  only?: readonly string[] | undefined;
  /** Absolute. */
  destination: string;
  /** Of everything, and of directories made on the way. */
  owner: Owner;
  /** Instead of the files' own. */
  permissions?: number | undefined;
  /** Of directories made on the way; default 755. */
  directoryPermissions?: number | undefined;
  times?: LayerTimes | undefined;
}

export interface CopyLayer extends CopiedFiles {
  /** What two threads have in common that share the work: see CopyShares. */
  shares?: SharedArrayBuffer;
  /** An empty directory. */
  target: string;
  /** The layers below, topmost first. */
  lower: readonly string[];
}

/**
 * Writes a layer as copying into an overlay of the layers below would have written it, and computes the digest of its
 * tar from the same bytes: every file is opened, read and made once, and no overlay is in the way.
 *
 * The thread is confined to the source; what it makes it names from its working directory, the new layer, in which
 * every directory is its own making.
 *
 * @returns `overlay` when it takes one after all: something is at the destination, or a link is on the way; devices, and
 *   directories that hand on their group or access list. `alone` when the work cannot be shared: files with several
 *   names, which only one thread can tell apart.
 */
export function copyLayer(
  { target, lower, shares, ...files }: CopyLayer,
  confinement: Confinement,
): LayerCopied | 'overlay' | 'alone' {
  const common = shares && new CopyShares(shares);
  try {
    const way = planWay(files.destination, lower);
    if (way === undefined) return 'overlay';
    confinement.enterBeside(files.root, target);
    return new LayerCopy(files, common).run(way);
  } catch (error) {
    if (error instanceof CopiedOtherwise) return error.way;
    throw error;
  } finally {
    confinement.leave();
    common?.settle();
  }
}

export type LayerCopied = PackResult & { digest: Digest };

/** Makes files of a layer that another thread is about to finish; see CopyShares. */
export function helpCopyLayer({ target, shares, ...files }: CopyLayer, confinement: Confinement): void {
  const common = new CopyShares(shares!);
  if (!common.beginHelp()) return;
  let done = false;
  try {
    confinement.enterBeside(files.root, target);
    new LayerCopy(files, common).help();
    done = true;
  } finally {
    confinement.leave();
    common.endHelp(done);
  }
}

/**
 * How two threads share the making of a layer. The first goes through the tree in order, as the digest wants it; the
 * second takes what is in the top directory from its end. Who claims a share first makes its files; the first thread
 * then only reads the others.
 *
 *     [0] 0 the top directory is not there yet, 1 it is, 2 nothing is left to do
 *     [1] of the second thread: 0 not there, 1 at work, 2 done, 3 failed
 *     [2...] shares: 0 free, 1 claimed
 */
export class CopyShares {
  readonly #state: Int32Array;

  /** As large as a layer needs. */
  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer((2 + maxShares) * Int32Array.BYTES_PER_ELEMENT);
  }

  constructor(buffer: SharedArrayBuffer) {
    this.#state = new Int32Array(buffer);
  }

  /** The share of one of `count` names in the top directory: neighbours may have one together. */
  static of(index: number, count: number): number {
    return count <= maxShares ? index : Math.floor((index * maxShares) / count);
  }

  claim(share: number): boolean {
    return Atomics.compareExchange(this.#state, 2 + share, 0, 1) === 0;
  }

  /** The second thread may begin. */
  open(): void {
    this.#to(0, 1);
  }

  /** Nothing is left to do, of whatever was claimed by nobody. */
  abandon(): void {
    this.#to(0, 2);
  }

  /** Nothing is left to claim. Waits for what the second thread has claimed. @returns whether that is all there */
  settle(): boolean {
    this.abandon();
    Atomics.wait(this.#state, 1, 1);
    return Atomics.load(this.#state, 1) !== 3;
  }

  /** @returns whether there is something to do */
  beginHelp(): boolean {
    Atomics.wait(this.#state, 0, 0);
    Atomics.store(this.#state, 1, 1);
    if (Atomics.load(this.#state, 0) === 1) return true;
    this.endHelp(true);
    return false;
  }

  endHelp(done: boolean): void {
    this.#to(1, done ? 2 : 3);
  }

  #to(index: number, value: number): void {
    Atomics.store(this.#state, index, value);
    Atomics.notify(this.#state, index);
  }
}

const maxShares = 4096;

/** The directories that lead to the destination, itself the last; the top of the layer is not among them. */
interface Way {
  /** Those of the layers below, as they are there. */
  present: { permissions: number; owner: Owner }[];
  names: string[];
}

function planWay(destination: string, lower: readonly string[]): Way | undefined {
  const names = destination.split('/').filter(name => name !== '');
  const present: Way['present'] = [];
  let directories = lower;
  for (const name of names) {
    const entry = lookUp(name, directories);
    if (entry === undefined) return { present, names };
    const { stat, path } = entry;
    if (!stat.isDirectory() || handsOn(stat) || readXattrs(asPath(path)).size > 0) return undefined;
    const owner = { uid: Number(stat.uid), gid: Number(stat.gid) };
    present.push({ permissions: Number(stat.mode) & 0o7777, owner });
    directories = entry.directories;
  }
  const isEmpty = directories.every(directory =>
    sortedNames(directory).every(name => lookUp(name, directories) === undefined),
  );
  return isEmpty ? { present, names } : undefined;
}

/** What is made in a directory with the setgid bit gets its group. */
function handsOn({ mode }: BigIntStats): boolean {
  return (mode & 0o2000n) !== 0n;
}

class CopiedOtherwise extends Error {
  readonly way: 'overlay' | 'alone';

  constructor(way: 'overlay' | 'alone') {
    super(way);
    this.way = way;
  }
}

class LayerCopy {
  readonly #files: CopiedFiles;
  readonly #shares: CopyShares | undefined;
  /** Of the two parts of the work, those that are this thread's: for the second, and for what that has claimed. */
  #makes = true;
  #hashes = true;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #hash = createHash('sha256');
  readonly #result: PackResult = { entries: 0, size: 0 };
  /** First names of files with several, by inode. */
  readonly #links = new Map<bigint, string>();
  readonly #nowNs: bigint;
  readonly #content = Buffer.allocUnsafeSlow(contentSize);
  readonly #gathered = Buffer.allocUnsafeSlow(gatheredSize);
  #used = 0;

  constructor(files: CopiedFiles, shares: CopyShares | undefined) {
    this.#files = files;
    this.#shares = shares;
    this.#only = files.only && new Set(files.only);
    this.#nowNs = this.#settled(BigInt(Date.now()) * 1_000_000n);
  }

  run({ names, present }: Way): LayerCopied {
    const { owner, directoryPermissions = 0o755 } = this.#files;
    const made = names.map((_, index) => names.slice(0, index + 1).join('/'));
    for (const [index, name] of made.entries()) {
      const { permissions = directoryPermissions, owner: its = owner } = present[index] ?? {};
      this.#makeDirectory(name, { mode: permissions, ...its });
      this.#header({ name, type: 'directory', mode: permissions, ...its, mtimeNs: this.#nowNs });
    }
    const top = made.at(-1) ?? '';
    // A tree of many files is too much for one block group in which others have just been deleted.
    const spread = spreadSubdirectories(asPath(top === '' ? '.' : top));
    this.#shares?.open();
    this.#top(top);
    if (this.#shares?.settle() === false)
      throw new EngineError('internal', 'the other thread that copies has failed');
    if (spread) gatherSubdirectories(asPath(top === '' ? '.' : top));
    for (const name of made.reverse()) applyTimes(asPath(name), this.#nowNs);
    this.#take(encodeEnd());
    this.#flush();
    return { ...this.#result, digest: `sha256:${this.#hash.digest('hex')}` };
  }

  /** As the second of two threads: from the end, until it meets the first. */
  help(): void {
    const { path, destination } = this.#files;
    const top = destination.split('/').filter(Boolean).join('/');
    this.#hashes = false;
    const names = sortedNames(path);
    let claimed: number | undefined;
    for (let index = names.length - 1; index >= 0; index--) {
      const share = CopyShares.of(index, names.length);
      if (share !== claimed && !this.#shares!.claim(share)) return;
      claimed = share;
      this.#child(path, top, '', names[index]!);
    }
  }

  #top(target: string): void {
    const { path } = this.#files;
    const names = sortedNames(path);
    let last: number | undefined;
    for (const [index, child] of names.entries()) {
      const share = CopyShares.of(index, names.length);
      if (this.#shares !== undefined && share !== last) this.#makes = this.#shares.claim(share);
      last = share;
      this.#child(path, target, '', child);
    }
  }

  #directory(path: string, target: string, relative: string): void {
    for (const child of sortedNames(path)) this.#child(path, target, relative, child);
  }

  #child(path: string, target: string, relative: string, name: string): void {
    const own = joined(relative, name);
    if (this.#only?.has(own) !== false) this.#entry(joined(path, name), joined(target, name), own);
  }

  #entry(path: string, target: string, relative: string): void {
    const stat = lstatSync(asPath(path), { bigint: true });
    const first = this.#firstName(target, stat);
    if (first !== undefined) {
      linkSync(asPath(first), asPath(target));
      this.#header({ ...this.#attributesOf(stat, 'hardlink', target), linkName: first });
    } else if (stat.isFile()) this.#file(path, target, stat);
    else if (stat.isDirectory()) {
      if (handsOn(stat)) throw new CopiedOtherwise('overlay');
      const attributes = {
        ...this.#attributesOf(stat, 'directory', target),
        xattrs: readXattrs(asPath(path)),
      };
      if (attributes.xattrs.has('system.posix_acl_default')) throw new CopiedOtherwise('overlay');
      if (this.#makes) this.#makeDirectory(target, attributes);
      if (this.#makes) writeXattrs(asPath(target), attributes.xattrs);
      this.#header(attributes);
      this.#directory(path, target, relative);
      if (this.#makes) applyTimes(asPath(target), this.#settled(stat.mtimeNs));
    } else if (stat.isSymbolicLink()) this.#symlink(path, target, stat);
    // Nobody can make a socket from an archive, where these go through otherwise.
    else if (!stat.isSocket()) throw new CopiedOtherwise('overlay');
  }

  #firstName(name: string, stat: BigIntStats): string | undefined {
    if (stat.nlink < 2n || stat.isDirectory() || stat.isSocket()) return undefined;
    if (this.#shares !== undefined) throw new CopiedOtherwise('alone');
    const first = this.#links.get(stat.ino);
    if (first === undefined) this.#links.set(stat.ino, name);
    return first;
  }

  #file(path: string, target: string, stat: BigIntStats): void {
    const native = asPath(target);
    const source = openSync(asPath(path), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const attributes = { ...this.#attributesOf(stat, 'file', target), xattrs: readXattrs(asPath(path)) };
      const fd = this.#makes ? openSync(native, making, attributes.mode) : -1;
      try {
        const read = readSync(source, this.#content, 0, contentSize, null);
        // Less than was asked for is all of a regular file.
        const size = read < contentSize ? read : Number(fstatSync(source).size);
        this.#header({ ...attributes, size });
        let written = 0;
        for (let length = read; length > 0 && written < size; ) {
          const content = this.#content.subarray(0, length);
          this.#take(content);
          if (fd !== -1) writeWhole(fd, content);
          written += length;
          length = written < size ? readSync(source, this.#content, 0, contentSize, null) : 0;
        }
        if (written !== size) throw new EngineError('internal', `${path} has not the ${size} bytes it had`);
        this.#take(zeros.subarray(0, paddingOf(size)));
        this.#result.size += size;
      } finally {
        if (fd !== -1) closeSync(fd);
      }
      if (fd === -1) return;
      this.#applyAttributes(native, attributes);
      writeXattrs(native, attributes.xattrs);
      applyTimes(native, this.#settled(stat.mtimeNs));
    } finally {
      closeSync(source);
    }
  }

  #symlink(path: string, target: string, stat: BigIntStats): void {
    const native = asPath(target);
    const link = readlinkSync(asPath(path), { encoding: 'buffer' });
    const attributes = { ...this.#attributesOf(stat, 'symlink', target), xattrs: readXattrs(asPath(path)) };
    this.#header({ ...attributes, linkName: decodeName(link) });
    this.#result.size += link.length;
    if (!this.#makes) return;
    symlinkSync(link, native);
    applyOwner(native, this.#files.owner);
    writeXattrs(native, attributes.xattrs);
    applyTimes(native, this.#settled(stat.mtimeNs));
  }

  #makeDirectory(name: string, { mode, uid, gid }: { mode: number } & Owner): void {
    const native = asPath(name);
    mkdirSync(native, mode);
    this.#applyAttributes(native, { mode, uid, gid });
  }

  /** It was made by root, with this mode; chown clears the special bits, and open(2) may. */
  #applyAttributes(path: string | Buffer, { mode, uid, gid }: { mode: number } & Owner): void {
    const isRoots = uid === 0 && gid === 0;
    if (!isRoots) applyOwner(path, { uid, gid });
    if (!isRoots || (mode & 0o7000) !== 0) applyMode(path, mode);
  }

  #attributesOf(stat: BigIntStats, type: TarEntryType, name: string) {
    const own = Number(stat.mode) & 0o7777;
    const mode = type === 'symlink' ? own : (this.#files.permissions ?? own);
    return { name, type, mode, ...this.#files.owner, mtimeNs: this.#settled(stat.mtimeNs) };
  }

  #settled(timeNs: bigint): bigint {
    const { times } = this.#files;
    return times === undefined ? timeNs : settledTime(timeNs, times);
  }

  #header(header: TarHeaderInit): void {
    if (!this.#hashes) return;
    this.#result.entries++;
    const { mtimeNs } = header;
    this.#take(
      encodeHeader(mtimeNs === undefined ? header : { ...header, mtimeNs: floorToSeconds(mtimeNs) }),
    );
  }

  #take(bytes: Buffer): void {
    if (!this.#hashes) return;
    if (this.#used + bytes.length > gatheredSize) this.#flush();
    if (bytes.length > gatheredSize) this.#hash.update(bytes);
    else this.#used += bytes.copy(this.#gathered, this.#used);
  }

  #flush(): void {
    this.#hash.update(this.#gathered.subarray(0, this.#used));
    this.#used = 0;
  }
}

function writeWhole(fd: number, content: Buffer): void {
  for (let at = 0; at < content.length; ) at += writeSync(fd, content, at, content.length - at);
}

const making = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const contentSize = 512 << 10;
const gatheredSize = 256 << 10;
const zeros = Buffer.alloc(512);
