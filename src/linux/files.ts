import { closeSync, constants, fstatSync, openSync, readSync, statfsSync } from 'node:fs';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  FS_IOC_GETFLAGS,
  FS_IOC_SETFLAGS,
  FS_TOPDIR_FL,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  O_CLOEXEC,
  O_PATH,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  S_IFIFO,
  SYS_openat2,
} from './constants.ts';
import { cPath, libc, libcRaw, shown, syscall } from './libc.ts';

/**
 * What Node's fs lacks. A path may be a Buffer where names need not be UTF-8. Calls on paths do not follow a
 * symlink at the end unless said.
 */
export type Path = string | Buffer;

/**
 * Reads a regular file below `root` as a process chrooted there would find it: symlinks and `..` cannot leave it.
 * What stands there was made by somebody else, so pipes and devices, which could block or have effects, are refused.
 * @returns undefined when there is no such file.
 * @throws EngineError `invalid` for what is no regular file, or is larger than `limitBytes` (default 8 MiB).
 */
export function readFileInRoot(root: string, path: string, limitBytes = 8 << 20): Buffer | undefined {
  const fd = openInRootIfExists(root, path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  if (fd === undefined) return undefined;
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw new EngineError('invalid', `${path} is a directory`);
    if (!stat.isFile()) throw new EngineError('invalid', `${path} is no regular file`);
    return readUpTo(fd, path, limitBytes);
  } finally {
    closeSync(fd);
  }
}

/**
 * Opens a path below `root` with RESOLVE_IN_ROOT: absolute symlinks and `..` are taken as inside of it, and /proc's
 * magic links are refused. Opening a device has its effects: pass O_PATH and look first, or O_NONBLOCK.
 * @returns a file descriptor (close-on-exec).
 */
export function openInRoot(root: string, path: string, flags: number, mode = 0): number {
  const rootFd = openat2(root, AT_FDCWD, cPath(root), how(O_PATH | constants.O_DIRECTORY, 0, 0), HOW_SIZE);
  try {
    return openInRootAt(rootFd, path, flags, mode);
  } finally {
    closeSync(rootFd);
  }
}

/** As openInRoot, below an open directory. */
export function openInRootAt(rootFd: number, path: string, flags: number, mode = 0): number {
  return openResolved(rootFd, path, how(flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
}

/**
 * As openInRootAt, for where looking in vain is usual: an error, with its words and its stack, takes 0.1 ms.
 * @returns undefined when it cannot be opened, for whatever reason.
 */
export function tryOpenInRootAt(rootFd: number, path: string, flags: number): number | undefined {
  const inside = how(flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  const fd = openat2Raw(SYS_openat2, rootFd, cPath(path), inside, HOW_SIZE);
  return fd === -1 ? undefined : fd;
}

/**
 * Opens a path below `root` with RESOLVE_BENEATH: a link or `..` that leads out of it, even if only for a part of the
 * way, is an error.
 * @returns a file descriptor (close-on-exec).
 * @throws SystemError EXDEV when it leads out
 */
export function openBeneath(root: string, path: string, flags: number): number {
  const rootFd = openat2(root, AT_FDCWD, cPath(root), how(O_PATH | constants.O_DIRECTORY, 0, 0), HOW_SIZE);
  try {
    return openResolved(rootFd, path, how(flags, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS));
  } finally {
    closeSync(rootFd);
  }
}

function openResolved(rootFd: number, path: string, inside: Buffer): number {
  // EAGAIN: a rename raced with the resolution of `..`; the kernel asks to try again (openat2(2)).
  for (let attempt = 0; ; attempt++) {
    try {
      return openat2(path, rootFd, cPath(path), inside, HOW_SIZE);
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN' || attempt === 100) throw error;
    }
  }
}

/** @returns undefined when there is no such attribute (or the file system has none). */
export function lgetxattr(path: Path, name: string): Buffer | undefined {
  const detail = `${name} of ${shown(path)}`;
  try {
    return readGrowing((buffer, size) => lgetxattrCall(detail, cPath(path), name, buffer, size));
  } catch (error) {
    if (errnoOf(error) === 'ENODATA' || errnoOf(error) === 'ENOTSUP') return undefined;
    throw error;
  }
}

export function lsetxattr(path: Path, name: string, value: Buffer): void {
  lsetxattrCall(`${name} of ${shown(path)}`, cPath(path), name, value, value.length, 0);
}

/** Names of all attributes; empty where the file system has none. */
export function llistxattr(path: Path): string[] {
  try {
    const bytes = readGrowing((buffer, size) => llistxattrCall(shown(path), cPath(path), buffer, size));
    return bytes.length === 0 ? [] : bytes.toString('utf8', 0, bytes.length - 1).split('\0');
  } catch (error) {
    if (errnoOf(error) === 'ENOTSUP') return [];
    throw error;
  }
}

export function lremovexattr(path: Path, name: string): void {
  lremovexattrCall(`${name} of ${shown(path)}`, cPath(path), name);
}

/** @param mode file type and permissions: `S_IFCHR | 0o600`. The umask applies. */
export function mknod(path: Path, mode: number, major: number, minor: number): void {
  mknodCall(shown(path), cPath(path), mode, makeDevice(major, minor));
}

export function mkfifo(path: Path, permissions: number): void {
  mknod(path, S_IFIFO | permissions, 0, 0);
}

export function lchown(path: Path, uid: number, gid: number): void {
  lchownCall(shown(path), cPath(path), uid, gid);
}

/** Sets access and modification time, in nanoseconds since the epoch; of the symlink itself if it is one. */
export function utimensat(path: Path, atimeNs: bigint, mtimeNs: bigint): void {
  const times = Buffer.alloc(32);
  writeTimespec(times, 0, atimeNs);
  writeTimespec(times, 16, mtimeNs);
  utimensatCall(shown(path), AT_FDCWD, cPath(path), times, AT_SYMLINK_NOFOLLOW);
}

/** The device number as the kernel packs it: gnu_dev_makedev. */
export function makeDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (
    ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
  );
}

export function majorOf(device: number | bigint): number {
  const number = BigInt(device);
  return Number(((number >> 32n) & 0xfffff000n) | ((number >> 8n) & 0xfffn));
}

export function minorOf(device: number | bigint): number {
  const number = BigInt(device);
  return Number(((number >> 12n) & 0xffffff00n) | (number & 0xffn));
}

/** @param type f_type, see the *_MAGIC constants. */
export function statfs(path: string): {
  type: number;
  totalBytes: number;
  freeBytes: number;
  availableBytes: number;
} {
  const { type, bsize, blocks, bfree, bavail } = statfsSync(path);
  return { type, totalBytes: blocks * bsize, freeBytes: bfree * bsize, availableBytes: bavail * bsize };
}

/** Changes the root of all threads that share this one's: unshare(CLONE_FS) in a worker first. */
export function chroot(path: string): void {
  chrootCall(path, cPath(path));
}

/** @returns false when somebody else holds it and `wait` is not set. The lock goes with the last copy of the fd. */
export function flock(
  fd: number,
  mode: 'shared' | 'exclusive' | 'unlock',
  options?: { wait?: boolean },
): boolean {
  const operation = { shared: LOCK_SH, exclusive: LOCK_EX, unlock: LOCK_UN }[mode];
  try {
    flockCall(`fd ${fd}`, fd, operation | (options?.wait === true ? 0 : LOCK_NB));
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return false;
    throw error;
  }
}

/** Writes out everything of the file system that a file or directory is on. */
export function syncFileSystemOf(path: string): void {
  const fd = openSync(path, 'r');
  try {
    syncfsCall(path, fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Tells ext4 that what is made in this directory are trees that have nothing to do with each other (chattr +T): each
 * gets a block group of its own. Otherwise a new tree is put where old ones have just been deleted, and there making a
 * file takes ext4 half a millisecond instead of ten microseconds (it does not give out again the inodes deleted in the
 * last minutes, and looks at each of them).
 * @returns false where the file system has no such thing.
 */
export function spreadSubdirectories(path: Path): boolean {
  return setTopDirectory(path, true);
}

/** Takes that back, once they are made. */
export function gatherSubdirectories(path: Path): void {
  setTopDirectory(path, false);
}

function setTopDirectory(path: Path, isTop: boolean): boolean {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const flags = Buffer.alloc(8);
    ioctlPointer(`FS_IOC_GETFLAGS ${path}`, fd, FS_IOC_GETFLAGS, flags);
    const others = flags.readUInt32LE() & ~FS_TOPDIR_FL;
    flags.writeUInt32LE((isTop ? others | FS_TOPDIR_FL : others) >>> 0);
    ioctlPointer(`FS_IOC_SETFLAGS ${path}`, fd, FS_IOC_SETFLAGS, flags);
    return true;
  } catch (error) {
    if (['ENOTSUP', 'EINVAL', 'ENOTTY', 'ENOSYS', 'EPERM'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}

type CPath = string | Buffer;

const openat2 = syscall<[number, CPath, Buffer, number]>(
  'openat2',
  SYS_openat2,
  'int fd, const char *path, void *how, size_t size',
);
const openat2Raw = libcRaw<[number, number, CPath, Buffer, number]>(
  'long syscall(long number, int fd, const char *path, void *how, size_t size)',
);
const lgetxattrCall = libc<[CPath, string, Buffer | null, number]>(
  'long lgetxattr(const char *path, const char *name, void *value, size_t size)',
);
const lsetxattrCall = libc<[CPath, string, Buffer, number, number]>(
  'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
);
const llistxattrCall = libc<[CPath, Buffer | null, number]>(
  'long llistxattr(const char *path, void *list, size_t size)',
);
const lremovexattrCall = libc<[CPath, string]>('int lremovexattr(const char *path, const char *name)');
const mknodCall = libc<[CPath, number, bigint]>('int mknod(const char *path, uint mode, uint64 device)');
const lchownCall = libc<[CPath, number, number]>('int lchown(const char *path, uint uid, uint gid)');
const utimensatCall = libc<[number, CPath, Buffer, number]>(
  'int utimensat(int fd, const char *path, const void *times, int flags)',
);
const chrootCall = libc<[CPath]>('int chroot(const char *path)');
const flockCall = libc<[number, number]>('int flock(int fd, int operation)');
const syncfsCall = libc<[number]>('int syncfs(int fd)');
const ioctlPointer = libc<[number, number, Buffer]>(
  'int ioctl(int fd, unsigned long request, void *argument)',
);

function openInRootIfExists(root: string, path: string, flags: number): number | undefined {
  try {
    return openInRoot(root, path, flags);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    // A socket, or a device without a driver.
    if (errnoOf(error) === 'ENXIO') throw new EngineError('invalid', `${path} is no regular file`);
    throw error;
  }
}

function readUpTo(fd: number, path: string, limitBytes: number): Buffer {
  const chunks: Buffer[] = [];
  for (let total = 0; ; ) {
    const chunk = Buffer.allocUnsafe(64 << 10);
    const length = readSync(fd, chunk);
    if (length === 0) return Buffer.concat(chunks);
    total += length;
    if (total > limitBytes) throw new EngineError('invalid', `${path} is larger than ${limitBytes} bytes`);
    chunks.push(chunk.subarray(0, length));
  }
}

const HOW_SIZE = 24;

/** struct open_how { u64 flags, mode, resolve } */
function how(flags: number, mode: number, resolve: number): Buffer {
  const bytes = Buffer.alloc(HOW_SIZE);
  bytes.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  bytes.writeBigUInt64LE(BigInt(mode), 8);
  bytes.writeBigUInt64LE(BigInt(resolve), 16);
  return bytes;
}

/** Most attributes are short, so one call with a small buffer does; ERANGE asks for the size. */
function readGrowing(read: (buffer: Buffer | null, size: number) => number): Buffer {
  let buffer = Buffer.allocUnsafe(256);
  for (;;) {
    try {
      return buffer.subarray(0, read(buffer, buffer.length));
    } catch (error) {
      if (errnoOf(error) !== 'ERANGE') throw error;
      buffer = Buffer.allocUnsafe(read(null, 0));
    }
  }
}

function writeTimespec(target: Buffer, offset: number, timeNs: bigint): void {
  // Times before 1970: seconds round down, nanoseconds are never negative.
  const seconds = timeNs >= 0n ? timeNs / NS_PER_S : -((-timeNs + NS_PER_S - 1n) / NS_PER_S);
  target.writeBigInt64LE(seconds, offset);
  target.writeBigInt64LE(timeNs - seconds * NS_PER_S, offset + 8);
}

const NS_PER_S = 1_000_000_000n;
