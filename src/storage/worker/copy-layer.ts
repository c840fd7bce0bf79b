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
 * @returns undefined when it takes an overlay after all: something is at the destination, or a link is on the way;
 *   devices, and directories that hand on their group or access list.
 */
export function copyLayer(
  { target, lower, ...files }: CopyLayer,
  confinement: Confinement,
): (PackResult & { digest: Digest }) | undefined {
  const way = planWay(files.destination, lower);
  if (way === undefined) return undefined;
  confinement.enterBeside(files.root, target);
  try {
    return new LayerCopy(files).run(way);
  } catch (error) {
    if (error instanceof NeedsOverlay) return undefined;
    throw error;
  } finally {
    confinement.leave();
  }
}

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

class NeedsOverlay extends Error {}

class LayerCopy {
  readonly #files: Omit<CopyLayer, 'target' | 'lower'>;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #hash = createHash('sha256');
  readonly #result: PackResult = { entries: 0, size: 0 };
  /** First names of files with several, by inode. */
  readonly #links = new Map<bigint, string>();
  readonly #nowNs: bigint;
  readonly #content = Buffer.allocUnsafeSlow(contentSize);
  readonly #gathered = Buffer.allocUnsafeSlow(gatheredSize);
  #used = 0;

  constructor(files: Omit<CopyLayer, 'target' | 'lower'>) {
    this.#files = files;
    this.#only = files.only && new Set(files.only);
    this.#nowNs = this.#settled(BigInt(Date.now()) * 1_000_000n);
  }

  run({ names, present }: Way): PackResult & { digest: Digest } {
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
    this.#directory(this.#files.path, top, '');
    if (spread) gatherSubdirectories(asPath(top === '' ? '.' : top));
    for (const name of made.reverse()) applyTimes(asPath(name), this.#nowNs);
    this.#take(encodeEnd());
    this.#flush();
    return { ...this.#result, digest: `sha256:${this.#hash.digest('hex')}` };
  }

  #directory(path: string, target: string, relative: string): void {
    for (const child of sortedNames(path)) {
      const own = joined(relative, child);
      if (this.#only?.has(own) === false) continue;
      this.#entry(joined(path, child), joined(target, child), own);
    }
  }

  #entry(path: string, target: string, relative: string): void {
    const stat = lstatSync(asPath(path), { bigint: true });
    const first = this.#firstName(target, stat);
    if (first !== undefined) {
      linkSync(asPath(first), asPath(target));
      this.#header({ ...this.#attributesOf(stat, 'hardlink', target), linkName: first });
    } else if (stat.isFile()) this.#file(path, target, stat);
    else if (stat.isDirectory()) {
      if (handsOn(stat)) throw new NeedsOverlay();
      const attributes = {
        ...this.#attributesOf(stat, 'directory', target),
        xattrs: readXattrs(asPath(path)),
      };
      if (attributes.xattrs.has('system.posix_acl_default')) throw new NeedsOverlay();
      this.#makeDirectory(target, attributes);
      writeXattrs(asPath(target), attributes.xattrs);
      this.#header(attributes);
      this.#directory(path, target, relative);
      applyTimes(asPath(target), this.#settled(stat.mtimeNs));
    } else if (stat.isSymbolicLink()) this.#symlink(path, target, stat);
    // Nobody can make a socket from an archive, where these go through otherwise.
    else if (!stat.isSocket()) throw new NeedsOverlay();
  }

  #firstName(name: string, stat: BigIntStats): string | undefined {
    if (stat.nlink < 2n || stat.isDirectory() || stat.isSocket()) return undefined;
    const first = this.#links.get(stat.ino);
    if (first === undefined) this.#links.set(stat.ino, name);
    return first;
  }

  #file(path: string, target: string, stat: BigIntStats): void {
    const native = asPath(target);
    const source = openSync(asPath(path), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const attributes = { ...this.#attributesOf(stat, 'file', target), xattrs: readXattrs(asPath(path)) };
      const fd = openSync(native, making, attributes.mode);
      try {
        const read = readSync(source, this.#content, 0, contentSize, null);
        // Less than was asked for is all of a regular file.
        const size = read < contentSize ? read : Number(fstatSync(source).size);
        this.#header({ ...attributes, size });
        let written = 0;
        for (let length = read; length > 0 && written < size; ) {
          const content = this.#content.subarray(0, length);
          this.#take(content);
          writeWhole(fd, content);
          written += length;
          length = written < size ? readSync(source, this.#content, 0, contentSize, null) : 0;
        }
        if (written !== size) throw new EngineError('internal', `${path} has not the ${size} bytes it had`);
        this.#take(zeros.subarray(0, paddingOf(size)));
        this.#result.size += size;
      } finally {
        closeSync(fd);
      }
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
    symlinkSync(link, native);
    applyOwner(native, this.#files.owner);
    writeXattrs(native, attributes.xattrs);
    applyTimes(native, this.#settled(stat.mtimeNs));
    this.#header({ ...attributes, linkName: decodeName(link) });
    this.#result.size += link.length;
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
    this.#result.entries++;
    const { mtimeNs } = header;
    this.#take(
      encodeHeader(mtimeNs === undefined ? header : { ...header, mtimeNs: floorToSeconds(mtimeNs) }),
    );
  }

  #take(bytes: Buffer): void {
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
