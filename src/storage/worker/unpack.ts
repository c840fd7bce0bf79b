import {
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { asPath } from '../../archive/names.ts';
import type { TarHeader } from '../../archive/tar-header.ts';
import type { TarSink } from '../../archive/tar-parser.ts';
import { S_IFBLK, S_IFCHR } from '../../linux/constants.ts';
import { mkfifo, mknod } from '../../linux/files.ts';
import { EngineError, errnoOf } from '../../stdx/errors.ts';
import { removeRecursively } from '../../stdx/remove-recursively.ts';
import { applyMode, applyOwner, applyTimes, ifExists } from './attributes.ts';
import { archiveError, invalidEntry } from './errors.ts';
import type { ImpliedDirectories } from './implied-directories.ts';
import { LargeFile, largeFileBytes } from './large-file.ts';
import type { Owner } from './owners.ts';
import { aufsPrefix, isOpaque, makeOpaque, makeWhiteout, opaqueName, whiteoutPrefix } from './whiteouts.ts';
import { writeXattrs } from './xattrs.ts';

export interface UnpackSettings {
  /** Absolute, existing directory in the worker's root; `/` for a layer. */
  destination: string;
  /** Whiteouts are turned into overlay's; nothing is there before. */
  layer: boolean;
  noOverwriteDirNonDir: boolean;
  /** The archive's `./` says what the destination is like, as a layer's does. */
  shapesTop?: boolean;
  allowDevices: boolean;
  /** Instead of the archive's. */
  owner?: Owner;
  permissions?: number;
  limits: UnpackLimits;
}

/** Against archives made to fill the disk or to keep us busy. */
export interface UnpackLimits {
  entries: number;
  bytes: number;
}

export interface UnpackResult {
  entries: number;
  /** Bytes of the files' contents. */
  size: number;
}

/**
 * Writes an archive's entries below a directory, synchronously but for the content of large files, in a worker confined
 * to the tree's root: what the names and links in it lead to is the kernel's matter. Names are cleaned as Docker does it (pkg/archive): absolute
 * ones are taken as relative, and those climbing out with `..` are refused.
 *
 * Order on a file: content, owner, mode (chown clears setuid), attributes (writing and chown clear capabilities), times.
 * Times of directories come last of all, as making files in them changes them.
 */
export class Unpacker implements TarSink {
  readonly #settings: UnpackSettings;
  readonly #implied: ImpliedDirectories;
  readonly #prefix: string;
  /** Directories known to be there, so that not every entry asks for its parents. */
  readonly #known = new Set<string>();
  /** Deleted by this very layer: a directory made there later is a new one, and hides the old one's content. */
  readonly #whiteouts = new Set<string>();
  readonly #directoryTimes = new Map<string, bigint>();
  #entries = 0;
  #size = 0;
  /** A setgid bit or a default ACL on a directory changes what is made in it: then nothing is left to defaults. */
  #inherits: boolean;

  #header: TarHeader | undefined;
  #path: string | Buffer = '';
  #fd = -1;
  /** The same file, when it is a large one. */
  #large: LargeFile | undefined;
  /** The disk has to come up with a large file before anything else comes. */
  #waiting: Promise<void> | undefined;

  constructor(settings: UnpackSettings, implied: ImpliedDirectories) {
    this.#settings = settings;
    this.#implied = implied;
    this.#prefix = settings.destination === '/' ? '' : settings.destination;
    this.#inherits = !settings.layer;
    this.#known.add('');
  }

  entry(header: TarHeader): void {
    try {
      this.#count(header);
      this.#begin(header);
    } catch (error) {
      if (error instanceof OverwriteError) throw error;
      throw archiveError(`unpacking ${shownName(header)}`, error);
    }
  }

  data(chunk: Buffer, offset: number): void {
    if (this.#fd === -1) return;
    try {
      if (this.#large !== undefined) {
        this.#large.write(chunk, offset);
        this.#waiting = this.#large.behind();
        return;
      }
      for (let at = 0; at < chunk.length; )
        at += writeSync(this.#fd, chunk, at, chunk.length - at, offset + at);
    } catch (error) {
      throw archiveError(`unpacking ${shownName(this.#header!)}`, error);
    }
  }

  endEntry(): void {
    if (this.#fd === -1) return;
    const header = this.#header!;
    if (this.#large !== undefined) {
      this.#waiting = this.#finishLarge(this.#large, header);
      return;
    }
    try {
      this.#finishFile(header);
    } catch (error) {
      throw archiveError(`unpacking ${shownName(header)}`, error);
    } finally {
      this.#closeFile();
    }
  }

  get busy(): boolean {
    return this.#waiting !== undefined;
  }

  /** To be waited for while it is busy. @throws EngineError as the calls before would have */
  async settled(): Promise<void> {
    try {
      await this.#waiting;
    } finally {
      this.#waiting = undefined;
    }
  }

  /** After the last entry. */
  finish(): UnpackResult {
    // The deepest first, in the order of their names reversed: setting one's time does not change its parent's.
    for (const [name, timeNs] of this.#directoryTimes) {
      const path = this.#pathOf(name);
      if (ifExists(() => lstatSync(path))?.isDirectory()) applyTimes(path, timeNs);
    }
    return { entries: this.#entries, size: this.#size };
  }

  /** When it ends half-way. */
  async abort(): Promise<void> {
    await this.#large?.settled();
    this.#closeFile();
  }

  #count(header: TarHeader): void {
    const { limits } = this.#settings;
    this.#entries++;
    // Docker counts what lstat calls a link's size, the length of its target (moby, pkg/directory).
    this.#size += header.type === 'symlink' ? Buffer.byteLength(header.linkName) : header.size;
    if (this.#entries > limits.entries)
      throw new EngineError('invalid', `more than ${limits.entries} entries`);
    if (this.#size > limits.bytes)
      throw new EngineError('invalid', `more than ${limits.bytes} bytes of content`);
  }

  #begin(header: TarHeader): void {
    const name = cleanName(header.name);
    this.#header = header;
    if (this.#settings.layer && name.startsWith(aufsPrefix) && name !== opaqueName) return;
    if (name === '') {
      this.#beginRoot(header);
      return;
    }
    const slash = name.lastIndexOf('/');
    const parent = slash === -1 ? '' : name.slice(0, slash);
    const base = name.slice(slash + 1);
    if (this.#settings.layer && base.startsWith(whiteoutPrefix)) {
      this.#applyWhiteout(parent, base);
      return;
    }
    this.#needParent(parent);
    this.#create(header, name);
  }

  /**
   * The entry `./`. A layer's says what the root directory is like; any other archive is unpacked into a directory that
   * is there and stays as it is (moby/go-archive, Unpack).
   */
  #beginRoot(header: TarHeader): void {
    if (header.type !== 'directory') throw invalidEntry('the top of an archive must be a directory');
    if (!this.#settings.layer && this.#settings.shapesTop !== true) return;
    this.#applyAttributes(this.#pathOf(''), header);
    this.#directoryTimes.set('', header.mtimeNs);
  }

  #applyWhiteout(parent: string, base: string): void {
    if (base === opaqueName) {
      this.#needParent(parent);
      makeOpaque(this.#pathOf(parent));
      return;
    }
    const hidden = base.slice(whiteoutPrefix.length);
    if (hidden === '' || hidden === '.' || hidden === '..') throw invalidEntry('a whiteout of no file');
    this.#needParent(parent);
    const name = parent === '' ? hidden : `${parent}/${hidden}`;
    const path = this.#pathOf(name);
    this.#whiteouts.add(name);
    // A whiteout concerns the layers below. What this layer itself brings under that name stays (layer.md#whiteouts).
    const present = ifExists(() => lstatSync(path));
    if (present === undefined) makeWhiteout(path);
    else if (present.isDirectory()) makeOpaque(path);
  }

  #needParent(parent: string): void {
    if (this.#known.has(parent)) return;
    const present = ifExists(() => statSync(this.#pathOf(parent)));
    if (present?.isDirectory()) {
      if ((present.mode & 0o2000) !== 0) this.#inherits = true;
    } else if (present === undefined || this.#whiteouts.has(parent)) this.#makeImplied(parent);
    else throw noDirectory();
    this.#known.add(parent);
  }

  #makeImplied(name: string): void {
    const slash = name.lastIndexOf('/');
    this.#needParent(slash === -1 ? '' : name.slice(0, slash));
    const attributes = this.#implied.attributesOf(name);
    const path = this.#pathOf(name);
    const present = ifExists(() => lstatSync(path));
    // A symlink that leads nowhere, or a file, is not silently replaced by a directory nobody asked for.
    if (present !== undefined && !this.#whiteouts.has(name)) throw noDirectory();
    this.#makeDirectory(path, name, attributes.mode);
    applyOwner(path, this.#settings.owner ?? attributes);
    applyMode(path, attributes.mode);
    if (attributes.mtimeNs !== undefined) this.#directoryTimes.set(name, attributes.mtimeNs);
  }

  #create(header: TarHeader, name: string): void {
    const path = this.#pathOf(name);
    this.#path = path;
    switch (header.type) {
      case 'file':
        this.#fd = this.#making(name, path, header, () =>
          openSync(
            path,
            constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
            this.#modeOf(header),
          ),
        );
        if (this.#settings.layer && header.size >= largeFileBytes) this.#large = new LargeFile(path);
        return;
      case 'directory':
        this.#makeDirectory(path, name, this.#modeOf(header), header);
        this.#known.add(name);
        this.#directoryTimes.set(name, header.mtimeNs);
        this.#applyAttributes(path, header);
        return;
      case 'hardlink':
        this.#link(header, name, path);
        return;
      case 'symlink':
        this.#making(name, path, header, () => symlinkSync(asPath(header.linkName), path));
        break;
      default:
        this.#makeDevice(header, name, path);
    }
    this.#applyAttributes(path, header);
    applyTimes(path, header.mtimeNs);
  }

  #makeDevice(header: TarHeader, name: string, path: string | Buffer): void {
    if (!this.#settings.allowDevices) throw invalidEntry(`a ${header.type} is not allowed here`);
    const mode = this.#modeOf(header);
    this.#making(name, path, header, () => {
      if (header.type === 'fifo') mkfifo(path, mode);
      else mknod(path, (header.type === 'char' ? S_IFCHR : S_IFBLK) | mode, header.devMajor, header.devMinor);
    });
  }

  #link(header: TarHeader, name: string, path: string | Buffer): void {
    const targetName = cleanName(header.linkName);
    if (targetName === name) throw invalidEntry('a hard link to itself');
    const target = this.#pathOf(targetName);
    // The target holds the attributes; the link is only one more name of it.
    if (ifExists(() => lstatSync(target)) === undefined)
      throw invalidEntry(`hard link to ${JSON.stringify(header.linkName)}, which does not exist`);
    this.#making(name, path, header, () => linkSync(target, path));
  }

  #makeDirectory(path: string | Buffer, name: string, mode: number, header?: TarHeader): void {
    const deleted = this.#settings.layer && this.#whiteouts.has(name);
    this.#making(name, path, header, () => mkdirSync(path, mode));
    if (deleted) makeOpaque(path);
  }

  /** Tries first: in most cases nothing is in the way. */
  #making<T>(name: string, path: string | Buffer, header: TarHeader | undefined, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    const isDirectory = header === undefined || header.type === 'directory';
    if (this.#keepExisting(name, path, isDirectory)) return undefined as T;
    return make();
  }

  /** @returns true for a directory where one is wanted; everything else has been removed. */
  #keepExisting(name: string, path: string | Buffer, wantsDirectory: boolean): boolean {
    const present = lstatSync(path);
    if (present.isDirectory() && wantsDirectory) return true;
    if (this.#settings.noOverwriteDirNonDir && present.isDirectory() !== wantsDirectory) {
      throw new OverwriteError(String(path), this.#settings.destination, wantsDirectory);
    }
    if (present.isDirectory()) {
      const deleted = this.#settings.layer && isOpaque(path);
      this.#known.clear();
      this.#known.add('');
      if (deleted) this.#whiteouts.add(name);
    }
    removeRecursively(path);
    return false;
  }

  async #finishLarge(file: LargeFile, header: TarHeader): Promise<void> {
    try {
      await file.finish();
      this.#finishFile(header);
    } catch (error) {
      throw archiveError(`unpacking ${shownName(header)}`, error);
    } finally {
      this.#closeFile();
    }
  }

  #finishFile(header: TarHeader): void {
    // Holes at the end, and files of nothing but a hole.
    ftruncateSync(this.#fd, header.size);
    this.#applyAttributes(this.#path, header);
    applyTimes(this.#path, header.mtimeNs);
  }

  #applyAttributes(path: string | Buffer, header: TarHeader): void {
    const owner = this.#settings.owner ?? header;
    const mode = this.#modeOf(header);
    const inherits = this.#inherits;
    if (inherits || owner.uid !== 0 || owner.gid !== 0) applyOwner(path, owner);
    // Made with this mode, which the umask of 0 let through; but not when it was there before.
    const special = (mode & 0o7000) !== 0;
    if (header.type !== 'symlink' && (inherits || special || header.type === 'directory'))
      applyMode(path, mode);
    if (header.xattrs.size > 0) writeXattrs(path, header.xattrs);
    if (
      header.type === 'directory' &&
      ((mode & 0o2000) !== 0 || header.xattrs.has('system.posix_acl_default'))
    ) {
      this.#inherits = true;
    }
  }

  #modeOf(header: TarHeader): number {
    return this.#settings.permissions ?? header.mode;
  }

  #pathOf(name: string): string | Buffer {
    return asPath(name === '' ? this.#prefix || '/' : `${this.#prefix}/${name}`);
  }

  #closeFile(): void {
    this.#large?.close();
    this.#large = undefined;
    if (this.#fd !== -1) closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** Docker's words, which name the destination where one expects the path again (pkg/archive, Unpack). */
class OverwriteError extends EngineError {
  constructor(path: string, destination: string, wantsDirectory: boolean) {
    const [old, wanted] = wantsDirectory ? ['non-directory', 'directory'] : ['directory', 'non-directory'];
    const names = [path, destination].map(name => JSON.stringify(name));
    super('invalid', `cannot overwrite ${old} ${names[0]} with ${wanted} ${names[1]}`);
  }
}

function noDirectory(): EngineError {
  return invalidEntry('the parent of an entry is no directory');
}

/** Without `.`, empty elements and slashes around; '' is the top. @throws EngineError `invalid` for what climbs out. */
export function cleanName(name: string): string {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined)
      throw invalidEntry(`${JSON.stringify(name)} is outside of the archive's top directory`);
  }
  return parts.join('/');
}

function shownName(header: TarHeader): string {
  const name = header.name.length > 300 ? `${header.name.slice(0, 300)}...` : header.name;
  return JSON.stringify(name);
}
