import { closeSync, readFileSync } from 'node:fs';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MNT_DETACH,
  MNT_FORCE,
  MOUNT_ATTR_IDMAP,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  SYS_fsconfig,
  SYS_fsmount,
  SYS_fsopen,
  SYS_mount_setattr,
  SYS_move_mount,
  SYS_open_tree,
  UMOUNT_NOFOLLOW,
} from './constants.ts';
import { cPath, libc, SystemError, syscall } from './libc.ts';

/** A row of /proc/self/mountinfo (proc_pid_mountinfo(5)), with its octal escapes undone. */
export interface MountEntry {
  id: number;
  parentId: number;
  /** `major:minor` of the file system. */
  device: string;
  /** Which directory of the file system is mounted. */
  root: string;
  mountPoint: string;
  options: string[];
  /** `shared:2`, `master:1`, ... */
  propagation: string[];
  type: string;
  source: string;
  superOptions: string[];
}

export type Propagation =
  | 'private'
  | 'slave'
  | 'shared'
  | 'unbindable'
  | 'rprivate'
  | 'rslave'
  | 'rshared'
  | 'runbindable';

export interface OverlayMount {
  /** Lower directories, topmost first; any number of them. */
  lower: readonly string[];
  /** Absent together with `work`: the overlay is read-only. */
  upper?: string;
  work?: string;
  target: string;
  /** Never sync the upper directory: for roots that a crash may lose (build steps). */
  volatile?: boolean;
}

/** mount(2). */
export function mount(options: {
  source?: string;
  target: string;
  type?: string;
  /** MS_* */
  flags?: number;
  data?: string;
}): void {
  const { source, target, type, flags, data } = options;
  mountCall(target, cPath(source ?? 'none'), cPath(target), type ?? null, flags ?? 0, data ?? null);
}

/** umount2(2); never follows a symlink at the target. `detach` takes it away at once, also when busy. */
export function unmount(target: string, options?: { detach?: boolean; force?: boolean }): void {
  const flags =
    UMOUNT_NOFOLLOW | (options?.detach === true ? MNT_DETACH : 0) | (options?.force === true ? MNT_FORCE : 0);
  unmountCall(target, cPath(target), flags);
}

/**
 * Which of `ro`, `nosuid`, `nodev` and `noexec` the mount that holds a path has: statvfs(3), which on 64 bits is
 *
 *     bsize frsize blocks bfree bavail files ffree favail fsid   8 bytes each
 *     flag                                                       8 bytes at 72
 */
export function mountRestrictions(path: string): string[] {
  const answer = Buffer.alloc(112);
  statvfsCall(path, cPath(path), answer);
  const flags = answer.readUInt32LE(72);
  return restrictions.filter(([flag]) => (flags & flag) !== 0).map(([, name]) => name);
}

// The bits of ST_RDONLY and the like are those of MS_RDONLY.
const restrictions: readonly (readonly [number, string])[] = [
  [MS_RDONLY, 'ro'],
  [MS_NOSUID, 'nosuid'],
  [MS_NODEV, 'nodev'],
  [MS_NOEXEC, 'noexec'],
];

export function bindMount(
  source: string,
  target: string,
  options?: { recursive?: boolean; readOnly?: boolean; propagation?: Propagation },
): void {
  const recursive = options?.recursive === true;
  mount({ source, target, flags: MS_BIND | (recursive ? MS_REC : 0) });
  try {
    // A bind takes the source's flags; read-only needs a second step.
    if (options?.readOnly === true) setReadOnly(target, recursive);
    if (options?.propagation !== undefined) setPropagation(target, options.propagation);
  } catch (error) {
    unmount(target, { detach: true });
    throw error;
  }
}

/**
 * Mounts an overlay. fsopen(2) takes one layer per call (`lowerdir+`, kernel 6.8), so neither the page that mount(2)
 * passes its options in nor characters like `:` and `,` in paths limit it. Older kernels get mount(2).
 */
export function overlayMount(options: OverlayMount): void {
  // The kernel refuses an overlay of one read-only directory.
  if (options.upper === undefined && options.lower.length === 1) {
    bindMount(options.lower[0]!, options.target, { readOnly: true });
    return;
  }
  layerByLayer ??= takesLayerByLayer();
  if (!layerByLayer) {
    overlayMountOld(options);
    return;
  }
  const context = fsopen('overlay', 'overlay', FSOPEN_CLOEXEC);
  try {
    for (const directory of options.lower) setString(context, 'lowerdir+', directory);
    if (options.upper !== undefined) setString(context, 'upperdir', options.upper);
    if (options.work !== undefined) setString(context, 'workdir', options.work);
    if (options.volatile === true)
      fsconfig('overlay volatile', context, FSCONFIG_SET_FLAG, 'volatile', null, 0);
    setString(context, 'source', 'overlay');
    create(context, options.target);
    const mounted = fsmount(options.target, context, FSMOUNT_CLOEXEC, 0);
    try {
      moveMount(options.target, mounted, '', AT_FDCWD, cPath(options.target), MOVE_MOUNT_F_EMPTY_PATH);
    } finally {
      closeSync(mounted);
    }
  } finally {
    closeSync(context);
  }
}

/**
 * Shows a directory (or file) at another place with its owners shifted: an id on disk is the same id in the user
 * namespace, whatever that is on the host. Mounts below the source are not shown. Private.
 * @throws SystemError EINVAL when the file system there cannot be mapped.
 */
export function idMappedMount(source: string, target: string, userNamespaceFd: number): void {
  const tree = openTree(source, AT_FDCWD, cPath(source), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  try {
    const attributes = Buffer.alloc(32);
    attributes.writeBigUInt64LE(BigInt(MOUNT_ATTR_IDMAP), 0);
    attributes.writeBigUInt64LE(BigInt(MS_PRIVATE), 16);
    attributes.writeBigUInt64LE(BigInt(userNamespaceFd), 24);
    mountSetattr(source, tree, '', AT_EMPTY_PATH, attributes, attributes.length);
    moveMount(target, tree, '', AT_FDCWD, cPath(target), MOVE_MOUNT_F_EMPTY_PATH);
  } finally {
    closeSync(tree);
  }
}

/** Shows what an open file or directory is, with all that is mounted below it, at another place too. Private. */
export function mountDescriptor(fd: number, target: string): void {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  const tree = openTree(target, fd, '', flags);
  try {
    const attributes = Buffer.alloc(32);
    attributes.writeBigUInt64LE(BigInt(MS_PRIVATE), 16);
    mountSetattr(target, tree, '', AT_EMPTY_PATH | AT_RECURSIVE, attributes, attributes.length);
    moveMount(target, tree, '', AT_FDCWD, cPath(target), MOVE_MOUNT_F_EMPTY_PATH);
  } finally {
    closeSync(tree);
  }
}

/** Makes a mount (`r...`: and all below it) read-only, keeping its other flags. */
export function setReadOnly(target: string, recursive: boolean): void {
  // struct mount_attr { u64 attr_set, attr_clr, propagation, userns_fd }
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(BigInt(MOUNT_ATTR_RDONLY), 0);
  mountSetattr(target, AT_FDCWD, cPath(target), recursive ? AT_RECURSIVE : 0, attributes, attributes.length);
}

export function setPropagation(target: string, propagation: Propagation): void {
  const recursive = propagation.startsWith('r');
  const plain = recursive ? propagation.slice(1) : propagation;
  const flag = propagationFlags[plain];
  if (flag === undefined) throw new EngineError('invalid', `invalid propagation mode: ${propagation}`);
  mountCall(target, 'none', cPath(target), null, flag | (recursive ? MS_REC : 0), null);
}

/** Whether something is mounted exactly there. Does not follow a symlink at `path`. */
export function isMountPoint(path: string): boolean {
  const absolute = path.length > 1 ? path.replace(/\/+$/, '') : path;
  return listMounts(absolute).some(entry => entry.mountPoint === absolute);
}

/** The mounts of this mount namespace in mounting order; with a prefix, those at it and below it. */
export function listMounts(prefix?: string): MountEntry[] {
  const text = readFileSync('/proc/thread-self/mountinfo', 'utf8');
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    // A host with a thousand containers has thousands of mounts, and most callers want few: look before parsing.
    const mountPoint = unescapeOctal(line.split(' ', 5)[4] ?? '');
    if (prefix === undefined || isAtOrBelow(mountPoint, prefix)) entries.push(parseMountInfoLine(line));
  }
  return entries;
}

/**
 *     36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue
 *     id parent dev root mountpoint options  optional fields  - type source super-options
 */
export function parseMountInfoLine(line: string): MountEntry {
  const [before = '', after = ''] = splitOnce(line, ' - ');
  const [id, parentId, device, root, mountPoint, options, ...propagation] = before.split(' ');
  const [type, source, superOptions] = after.split(' ');
  return {
    id: Number(id),
    parentId: Number(parentId),
    device: device ?? '',
    root: unescapeOctal(root ?? ''),
    mountPoint: unescapeOctal(mountPoint ?? ''),
    options: (options ?? '').split(','),
    propagation,
    type: type ?? '',
    source: unescapeOctal(source ?? ''),
    superOptions: (superOptions ?? '').split(','),
  };
}

const mountCall = libc<[string | Buffer | null, string | Buffer, string | null, number, string | null]>(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const statvfsCall = libc<[Buffer | string, Buffer]>('int statvfs(const char *path, void *answer)');
const unmountCall = libc<[string | Buffer, number]>('int umount2(const char *target, int flags)');
const fsopen = syscall<[string, number]>('fsopen', SYS_fsopen, 'const char *type, uint flags');
const fsconfig = syscall<[number, number, string | null, string | Buffer | null, number]>(
  'fsconfig',
  SYS_fsconfig,
  'int fd, uint command, const char *key, const char *value, int aux',
);
const fsmount = syscall<[number, number, number]>(
  'fsmount',
  SYS_fsmount,
  'int fd, uint flags, uint attributes',
);
const openTree = syscall<[number, string | Buffer, number]>(
  'open_tree',
  SYS_open_tree,
  'int fd, const char *path, uint flags',
);
const moveMount = syscall<[number, string, number, string | Buffer, number]>(
  'move_mount',
  SYS_move_mount,
  'int fromFd, const char *from, int toFd, const char *to, uint flags',
);
const mountSetattr = syscall<[number, string | Buffer, number, Buffer, number]>(
  'mount_setattr',
  SYS_mount_setattr,
  'int fd, const char *path, uint flags, void *attributes, size_t size',
);

const propagationFlags: Readonly<Record<string, number>> = {
  private: MS_PRIVATE,
  slave: MS_SLAVE,
  shared: MS_SHARED,
  unbindable: MS_UNBINDABLE,
};

let layerByLayer: boolean | undefined;

/**
 * Whether this kernel knows `lowerdir+`. Before 6.5 overlays have no options of their own here: the kernel takes any
 * word, to complain of all together at the end. From then on to 6.8 it refuses this one.
 */
function takesLayerByLayer(): boolean {
  const context = fsopen('overlay', 'overlay', FSOPEN_CLOEXEC);
  try {
    return !takes(context, 'no such option') && takes(context, 'lowerdir+');
  } finally {
    closeSync(context);
  }
}

function takes(context: number, key: string): boolean {
  try {
    setString(context, key, '/');
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return false;
    throw error;
  }
}

function setString(context: number, key: string, value: string): void {
  fsconfig(`overlay ${key}=${value}`, context, FSCONFIG_SET_STRING, key, cPath(value), 0);
}

/** The kernel says in words what it did not like: lines of `e overlay: ...`, read from the context itself. */
function create(context: number, target: string): void {
  try {
    fsconfig(`overlay at ${target}`, context, FSCONFIG_CMD_CREATE, null, null, 0);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const words = readMessages(context);
    throw words === '' ? error : new SystemError(error.errno, 'mount', `overlay at ${target} (${words})`);
  }
}

function readMessages(context: number): string {
  const words: string[] = [];
  try {
    for (;;) words.push(readFileMessage(context));
  } catch {
    // ENODATA: all messages are read. Whatever else happens here, the mount's own error is the one to report.
    return words.join('; ');
  }
}

function readFileMessage(context: number): string {
  const buffer = Buffer.alloc(4096);
  const length = readCall('fs context', context, buffer, buffer.length);
  return buffer
    .toString('utf8', 0, length)
    .replace(/^[eiw] (overlay: )?/, '')
    .trim();
}

const readCall = libc<[number, Buffer, number]>('long read(int fd, void *buffer, size_t size)');

function overlayMountOld(options: OverlayMount): void {
  const escaped = (path: string) => path.replace(/[\\:,]/g, '\\$&');
  const data = [`lowerdir=${options.lower.map(escaped).join(':')}`];
  if (options.upper !== undefined) data.push(`upperdir=${escaped(options.upper)}`);
  if (options.work !== undefined) data.push(`workdir=${escaped(options.work)}`);
  if (options.volatile === true) data.push('volatile');
  const flags = options.upper === undefined ? MS_RDONLY : 0;
  mount({ source: 'overlay', target: options.target, type: 'overlay', flags, data: data.join(',') });
}

function isAtOrBelow(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`);
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** `\040` is a space, as the kernel escapes space, tab, newline and backslash; the bytes around are UTF-8 already. */
function unescapeOctal(text: string): string {
  return text.includes('\\')
    ? text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    : text;
}
