import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../stdx/errors.ts';
import { SYS_pidfd_getfd, TIOCSWINSZ } from './constants.ts';
import { libc, syscall } from './libc.ts';
import { pidfdOpen } from './process.ts';

export interface WindowSize {
  rows: number;
  cols: number;
}

/** Sets the size of a terminal, from either side; its foreground processes get SIGWINCH when it changes. */
export function setWindowSize(fd: number, { rows, cols }: WindowSize): void {
  // struct winsize { u16 rows, columns, xpixel, ypixel }
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(cols, 2);
  ioctl('TIOCSWINSZ', fd, TIOCSWINSZ, size);
}

/**
 * Runs `work` with a copy of the pseudo-terminal master that another process holds (pidfd_getfd(2)).
 * @returns undefined when it holds none, or has ended.
 */
export function withTerminalOf<T>(pid: number, work: (fd: number) => T): T | undefined {
  const number = terminalMasterOf(pid);
  if (number === undefined) return undefined;
  const pidfd = pidfdOpen(pid);
  try {
    const fd = pidfdGetfd(`descriptor ${number} of process ${pid}`, pidfd, number, 0);
    try {
      return work(fd);
    } finally {
      closeSync(fd);
    }
  } finally {
    closeSync(pidfd);
  }
}

const ioctl = libc<[number, number, Buffer]>('int ioctl(int fd, unsigned long request, void *argument)');
const pidfdGetfd = syscall<[number, number, number]>(
  'pidfd_getfd',
  SYS_pidfd_getfd,
  'int pidfd, int fd, uint flags',
);

function terminalMasterOf(pid: number): number | undefined {
  for (const name of descriptorsOf(pid)) {
    // `/dev/pts/ptmx`, or as the file system's root sees it when its mount is another namespace's: `/ptmx`.
    if (linkOf(`/proc/${pid}/fd/${name}`)?.endsWith('/ptmx') === true) return Number(name);
  }
  return undefined;
}

function descriptorsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return [];
    throw error;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}
