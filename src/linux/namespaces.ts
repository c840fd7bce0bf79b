import { closeSync, constants, openSync } from 'node:fs';
import { EngineError, messageOf } from '../stdx/errors.ts';
import { CLONE_NEWNET } from './constants.ts';
import { libc } from './libc.ts';

/**
 * Runs `work` inside the network namespace at `path` (`/proc/<pid>/ns/net`, or a bound file) and comes back.
 *
 * setns(2) moves the calling thread only. `work` must be synchronous: while it runs no other JavaScript of this
 * thread runs, and Node's own helper threads stay outside. A socket made inside stays inside for ever, also after
 * coming back. Node's asynchronous calls (fs promises, net.connect) do NOT run inside.
 *
 * If the thread cannot come back the process aborts: going on would put the host's work into a container's network.
 */
export function withNetworkNamespace<T>(path: string, work: () => T): T {
  const target = openNamespace(path);
  try {
    const home = openNamespace('/proc/thread-self/ns/net');
    try {
      setns(target, CLONE_NEWNET, path);
      try {
        return refusePromise(work());
      } finally {
        returnTo(home);
      }
    } finally {
      closeSync(home);
    }
  } finally {
    closeSync(target);
  }
}

/** A file descriptor of a namespace file; it keeps the namespace alive until closed. */
export function openNamespace(path: string): number {
  return openSync(path, constants.O_RDONLY);
}

/** Moves the calling thread into a namespace. @param type one CLONE_NEW* flag, checked by the kernel against the file. */
export function setns(fd: number, type: number, detail = ''): void {
  setnsCall(detail, fd, type);
}

/** Takes the calling thread out of what it shares: CLONE_NEW* flags, or CLONE_FS before a chroot in a worker. */
export function unshare(flags: number): void {
  unshareCall('', flags);
}

const setnsCall = libc<[fd: number, type: number]>('int setns(int fd, int type)');
const unshareCall = libc<[flags: number]>('int unshare(int flags)');

function returnTo(home: number): void {
  try {
    setns(home, CLONE_NEWNET, 'back');
  } catch (error) {
    process.stderr.write(`gantryd: cannot leave a container's network namespace: ${messageOf(error)}\n`);
    process.abort();
  }
}

/** A promise means that some of the work will run later, outside of the namespace: a fault of the caller. */
function refusePromise<T>(result: T): T {
  if (result instanceof Promise) {
    throw new EngineError('internal', 'work inside a network namespace must be synchronous');
  }
  return result;
}
