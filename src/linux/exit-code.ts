import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../stdx/errors.ts';
import { PIDFD_GET_INFO, PIDFD_INFO_EXIT } from './constants.ts';
import { libc } from './libc.ts';
import { pollDescriptor } from './poll.ts';
import { pidfdOpen } from './process.ts';

/** How a process ended, from the status word of wait(2): its exit code, or 128 and the signal's number. */
export function exitCodeOfStatus(word: number): number {
  const signal = word & 0x7f;
  return signal === 0 ? (word >> 8) & 0xff : 128 + signal;
}

/**
 * Waits for the end of a process that need not be our child.
 * @returns its exit code as `exitCodeOfStatus`; undefined where the kernel does not say (before Linux 6.15), or when
 * the process had been reaped before this call.
 */
export async function waitForExitOfAny(pid: number): Promise<number | undefined> {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(pid);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
  try {
    await endOf(pidfd);
    return await exitCodeOf(pidfd);
  } finally {
    closeSync(pidfd);
  }
}

/** Settles when the process has ended, reaped or not. */
export function endOf(pidfd: number): Promise<void> {
  return new Promise(resolve => {
    const poller = pollDescriptor(
      pidfd,
      () => {
        poller.close();
        resolve();
      },
      { keepAlive: true },
    );
    poller.watch({ readable: true });
  });
}

/** The kernel knows the code from when the parent has reaped the process, which may take it a moment. */
async function exitCodeOf(pidfd: number): Promise<number | undefined> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      const info = Buffer.alloc(PIDFD_INFO_BYTES);
      info.writeBigUInt64LE(BigInt(PIDFD_INFO_EXIT), 0);
      ioctl('PIDFD_GET_INFO', pidfd, PIDFD_GET_INFO, info);
      if ((info.readUInt32LE(0) & PIDFD_INFO_EXIT) !== 0) return exitCodeOfStatus(info.readInt32LE(60));
    } catch (error) {
      // ENOTTY and EINVAL: an older kernel; ESRCH: one that tells only who runs.
      if (['ENOTTY', 'EINVAL', 'ESRCH'].includes(errnoOf(error) ?? '')) return undefined;
      throw error;
    }
    await sleep(10);
  }
  return undefined;
}

/** struct pidfd_info: 0 u64 mask | 8 u64 cgroup | 16 u32 pid, tgid, ppid | 28 u32 ids[8] | 60 s32 status word */
const PIDFD_INFO_BYTES = 64;

const ioctl = libc<[number, number, Buffer]>('int ioctl(int fd, unsigned long request, void *argument)');
