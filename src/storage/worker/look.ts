import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { posix } from 'node:path';
import { asPath, decodeName } from '../../archive/names.ts';
import { EngineError, errnoOf } from '../../stdx/errors.ts';
import { applyMode, applyOwner } from './attributes.ts';
import { fromKernel, type Owner } from './owners.ts';
import { joined, sortedNames } from './pack.ts';

export type FileType = 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';

export interface WorkerStat {
  type: FileType;
  size: number;
  permissions: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  /** Of a symlink, as it is written. */
  link: string;
  /** Of a symlink: where it leads in the end, absolute. */
  linkTarget: string;
}

export interface ListedFile extends WorkerStat {
  /** Relative to what was listed; '' for itself. */
  path: string;
  /** Device, inode, size and times: the same as long as the content is the same. */
  identity: string;
  /** Device and inode: the same for all names of a file. */
  inode: string;
  rdev: bigint;
}

export function statPath(path: string, follow: boolean): WorkerStat | undefined {
  const stat = absentAs(undefined, () =>
    follow ? statSync(asPath(path), { bigint: true }) : lstatSync(asPath(path), { bigint: true }),
  );
  return stat === undefined ? undefined : describe(path, stat);
}

/** Itself first (not when it is one directory listed without recursion), then what is in it, by name. */
export function listTree(path: string, recursive: boolean, only?: readonly string[]): ListedFile[] {
  const found: ListedFile[] = [];
  if (only !== undefined) {
    for (const relative of only)
      found.push(listed(relative === '' ? path : joined(path, relative), relative));
    return found;
  }
  const top = listed(path, '');
  found.push(top);
  if (top.type === 'directory') listInto(found, path, '', recursive);
  return found;
}

/** @throws EngineError `invalid` for what is no regular file, or is larger than the limit. */
export function readWholeFile(path: string, limitBytes: number): Uint8Array | undefined {
  const fd = absentAs(undefined, () =>
    openSync(asPath(path), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY),
  );
  if (fd === undefined) return undefined;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new EngineError('invalid', `${path} is no regular file`);
    if (stat.size > limitBytes) {
      throw new EngineError('invalid', `${path} has ${stat.size} bytes, more than ${limitBytes}`);
    }
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** @throws EngineError `invalid` for what is no regular file */
export function openRegularFile(path: string): number {
  const fd = openSync(
    asPath(path),
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
  );
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new EngineError('invalid', `${path} is no regular file`);
}

/**
 * The path without symlinks, as the kernel would follow it inside; elements that do not exist stay as they are.
 * realpath(3) fails on those, and `docker cp` and COPY need their place.
 */
export function resolvePath(path: string): string {
  const pending = path.split('/').reverse();
  const done: string[] = [];
  let links = 0;
  while (pending.length > 0) {
    const part = pending.pop()!;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const here = `/${[...done, part].join('/')}`;
    const link = readLink(here);
    if (link === undefined) {
      done.push(part);
      continue;
    }
    if (++links > 255) throw new EngineError('invalid', `${path}: too many levels of symbolic links`);
    if (link.startsWith('/')) done.length = 0;
    pending.push(...link.split('/').reverse());
  }
  return `/${done.join('/')}`;
}

/** What exists stays as it is. @throws EngineError `invalid` when something else stands in the way. */
export function makeDirectory(path: string, owner: Owner = { uid: 0, gid: 0 }, permissions = 0o755): void {
  const resolved = resolvePath(path);
  if (resolved === '/') return;
  const present = absentAs(undefined, () => statSync(asPath(resolved)));
  if (present?.isDirectory()) return;
  if (present !== undefined) throw new EngineError('invalid', `${path}: not a directory`);
  makeDirectory(posix.dirname(resolved), owner, permissions);
  const native = asPath(resolved);
  mkdirSync(native, permissions);
  applyOwner(native, owner);
  applyMode(native, permissions);
}

export function typeOfStat(stat: BigIntStats): FileType {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : 'socket';
}

function listInto(found: ListedFile[], directory: string, relative: string, recursive: boolean): void {
  for (const name of sortedNames(directory)) {
    const path = joined(directory, name);
    const entry = absentAs(undefined, () => listed(path, joined(relative, name)));
    if (entry === undefined) continue;
    found.push(entry);
    if (recursive && entry.type === 'directory') listInto(found, path, entry.path, true);
  }
}

function listed(path: string, relative: string): ListedFile {
  const native = asPath(path);
  const stat = lstatSync(native, { bigint: true });
  return {
    path: relative,
    ...describe(path, stat),
    identity: `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`,
    inode: `${stat.dev}:${stat.ino}`,
    rdev: stat.rdev,
  };
}

function describe(path: string, stat: BigIntStats): WorkerStat {
  const link = stat.isSymbolicLink() ? (readLink(path) ?? '') : '';
  return {
    type: typeOfStat(stat),
    size: Number(stat.size),
    permissions: Number(stat.mode) & 0o7777,
    ...fromKernel(stat),
    mtimeNs: stat.mtimeNs,
    link,
    linkTarget: link === '' ? '' : resolvePath(path),
  };
}

function readLink(path: string): string | undefined {
  try {
    return decodeName(readlinkSync(asPath(path), { encoding: 'buffer' }));
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EINVAL' || code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function absentAs<T>(instead: T, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return instead;
    throw error;
  }
}
