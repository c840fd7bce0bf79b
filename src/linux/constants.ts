/**
 * Numbers of the kernel's interface (include/uapi/linux), named as the kernel names them. Only those that are the
 * same on x86-64 and arm64.
 */

/** mount(2), linux/mount.h */
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_REMOUNT = 32;
export const MS_NOATIME = 1024;
export const MS_NODIRATIME = 2048;
export const MS_BIND = 4096;
export const MS_REC = 16384;
export const MS_UNBINDABLE = 1 << 17;
export const MS_PRIVATE = 1 << 18;
export const MS_SLAVE = 1 << 19;
export const MS_SHARED = 1 << 20;
export const MS_RELATIME = 1 << 21;
export const MS_STRICTATIME = 1 << 24;

/** umount2(2) */
export const MNT_FORCE = 1;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

/** System calls of the new mount interface and their flags, linux/mount.h */
export const SYS_open_tree = 428;
export const SYS_move_mount = 429;
export const SYS_fsopen = 430;
export const SYS_fsconfig = 431;
export const SYS_fsmount = 432;
export const SYS_mount_setattr = 442;
export const FSOPEN_CLOEXEC = 1;
export const FSMOUNT_CLOEXEC = 1;
export const FSCONFIG_SET_FLAG = 0;
export const FSCONFIG_SET_STRING = 1;
export const FSCONFIG_CMD_CREATE = 6;
export const MOVE_MOUNT_F_EMPTY_PATH = 4;
export const MOUNT_ATTR_RDONLY = 1;
export const MOUNT_ATTR_IDMAP = 0x00100000;
export const OPEN_TREE_CLONE = 1;
export const OPEN_TREE_CLOEXEC = 0o2000000;

/** clone(2), unshare(2), setns(2), linux/sched.h */
export const CLONE_FS = 0x200;
export const CLONE_NEWNET = 0x40000000;

/** prctl(2), linux/prctl.h and linux/securebits.h */
export const PR_GET_SECUREBITS = 27;
export const PR_SET_SECUREBITS = 28;
export const SECBIT_NO_SETUID_FIXUP = 4;

/** fcntl.h */
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_EMPTY_PATH = 0x1000;
export const AT_RECURSIVE = 0x8000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;
/** _IOR('f', 1, long) and _IOW('f', 2, long); what they point to is an int all the same (linux/fs.h) */
export const FS_IOC_GETFLAGS = 0x80086601;
export const FS_IOC_SETFLAGS = 0x40086602;
export const FS_TOPDIR_FL = 0x00020000;

/** openat2(2), linux/openat2.h */
export const SYS_openat2 = 437;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;

/** sys/stat.h */
export const S_IFBLK = 0o060000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

/** statfs(2) f_type, linux/magic.h */
export const CGROUP2_SUPER_MAGIC = 0x63677270;

/** pidfds */
export const SYS_pidfd_send_signal = 424;
export const SYS_pidfd_open = 434;
/** linux/pidfd.h; _IOWR(0xFF, 11, the 64 bytes struct pidfd_info had at first) */
export const PIDFD_GET_INFO = 0xc040ff0b;
export const PIDFD_INFO_EXIT = 1 << 3;

/** inotify(7), linux/inotify.h */
export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
export const IN_Q_OVERFLOW = 0x4000;
export const IN_NONBLOCK = 0o4000;
export const IN_CLOEXEC = 0o2000000;

/** sockets, linux/socket.h */
export const AF_UNIX = 1;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
export const SHUT_WR = 1;

/** eventfd(2) */

/** posix_spawn(3), spawn.h; waitpid(2); fcntl(2) */
export const POSIX_SPAWN_SETSIGDEF = 4;
export const POSIX_SPAWN_SETSIGMASK = 8;
export const POSIX_SPAWN_SETSID = 0x80;
export const WNOHANG = 1;
export const F_SETFL = 4;
export const F_ADD_SEALS = 1033;
/** F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE */
export const SEALED = 15;

/** memfd_create(2), linux/memfd.h */
export const MFD_CLOEXEC = 1;
export const MFD_ALLOW_SEALING = 2;
export const MFD_EXEC = 16;
export const O_NONBLOCK = 0o4000;
export const SYS_pidfd_getfd = 438;

/** ioctl(2), asm-generic/ioctls.h */
export const TIOCSWINSZ = 0x5414;

/** quotactl(2), linux/quota.h, linux/fs.h */
export const SYS_quotactl_fd = 443;
export const Q_GETQUOTA = 0x800007;
export const Q_SETQUOTA = 0x800008;
export const PRJQUOTA = 2;
export const QIF_BLIMITS = 1;
export const FS_IOC_FSGETXATTR = 0x801c581f;
export const FS_IOC_FSSETXATTR = 0x401c5820;
export const FS_XFLAG_PROJINHERIT = 0x200;
