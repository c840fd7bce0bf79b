import { closeSync, openSync } from 'node:fs';
import { errnoOf } from '../stdx/errors.ts';
import {
  FS_IOC_FSGETXATTR,
  FS_IOC_FSSETXATTR,
  FS_XFLAG_PROJINHERIT,
  PRJQUOTA,
  Q_GETQUOTA,
  Q_SETQUOTA,
  QIF_BLIMITS,
  SYS_quotactl_fd,
} from './constants.ts';
import { libc, syscall } from './libc.ts';

/**
 * Project quotas (ext4 and xfs, mounted with `prjquota`): all files of a project together are limited, and files made
 * in a directory belong to its project. A limit of 0 bytes is none.
 * @throws SystemError ENOTTY, EOPNOTSUPP or ESRCH where file system or mount have none, ENOSYS before Linux 5.14.
 */
export function limitProject(directory: string, project: number, limitBytes: number): void {
  const fd = openSync(directory, 'r');
  try {
    // struct if_dqblk: limits in blocks of 1024 bytes; the hard one is the first field, the soft one the second.
    const quota = Buffer.alloc(72);
    const blocks = BigInt(Math.ceil(limitBytes / 1024));
    quota.writeBigUInt64LE(blocks, 0);
    quota.writeBigUInt64LE(blocks, 8);
    quota.writeUInt32LE(QIF_BLIMITS, 64);
    quotactl(`limit of ${directory}`, fd, command(Q_SETQUOTA), project, quota);
    // struct fsxattr: flags, extent size, number of extents, project, ...
    const attributes = Buffer.alloc(28);
    ioctl(`FS_IOC_FSGETXATTR ${directory}`, fd, FS_IOC_FSGETXATTR, attributes);
    attributes.writeUInt32LE((attributes.readUInt32LE(0) | FS_XFLAG_PROJINHERIT) >>> 0, 0);
    attributes.writeUInt32LE(project, 12);
    ioctl(`FS_IOC_FSSETXATTR ${directory}`, fd, FS_IOC_FSSETXATTR, attributes);
  } finally {
    closeSync(fd);
  }
}

/** Bytes that the files of a project take; xfs forgets projects that have neither files nor limits. @throws as limitProject */
export function projectUsage(directory: string, project: number): number {
  const fd = openSync(directory, 'r');
  try {
    const quota = Buffer.alloc(72);
    quotactl(`usage of ${directory}`, fd, command(Q_GETQUOTA), project, quota);
    return Number(quota.readBigUInt64LE(16));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  } finally {
    closeSync(fd);
  }
}

function command(code: number): number {
  return ((code << 8) | PRJQUOTA) >>> 0;
}

const quotactl = syscall<[number, number, number, Buffer]>(
  'quotactl_fd',
  SYS_quotactl_fd,
  'uint fd, uint command, uint id, void *address',
);
const ioctl = libc<[number, number, Buffer]>('int ioctl(int fd, unsigned long request, void *argument)');
