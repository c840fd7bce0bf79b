import { closeSync } from 'node:fs';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import { AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from './constants.ts';
import { libc } from './libc.ts';

/**
 * Takes a name for this process, in the network namespace the thread is in: only one process there has it at a time. It is
 * the name of an abstract socket (unix(7)), so it is free again when the process ends, however it ends. Waits for a
 * while for a process that is just ending.
 *
 * Everybody may bind such a name, root or not. So one that is not root's counts for nothing: it could only keep us from
 * working.
 * @returns gives the name back.
 * @throws EngineError `conflict`, with the id of the process that has it
 */
export function claimName(name: string): () => void {
  const fd = socket(name, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  try {
    for (let waitedMs = 0; waitedMs < patienceMs && !bindName(fd, name); waitedMs += retryMs) {
      const owner = ownerOf(name);
      if (owner !== undefined && (owner.uid !== 0 || owner.pid === process.pid)) break;
      if (owner !== undefined && waitedMs + retryMs >= patienceMs)
        throw new EngineError('conflict', `process ${owner.pid} has it in this network namespace`);
      Atomics.wait(nobody, 0, 0, retryMs);
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return () => closeSync(fd);
}

function bindName(fd: number, name: string): boolean {
  try {
    const address = abstractAddress(name);
    bind(name, fd, address, address.length);
  } catch (error) {
    if (errnoOf(error) === 'EADDRINUSE') return false;
    throw error;
  }
  // Who comes later connects to learn whose it is; nobody is ever accepted.
  listen(name, fd, backlog);
  return true;
}

/** @returns undefined when the name is free by now, or its owner does not tell. */
function ownerOf(name: string): { pid: number; uid: number } | undefined {
  const fd = socket(name, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  try {
    const address = abstractAddress(name);
    connect(name, fd, address, address.length);
    // struct ucred: pid, uid, gid
    const credentials = Buffer.alloc(12);
    const length = Buffer.from([credentials.length, 0, 0, 0]);
    getsockopt(name, fd, SOL_SOCKET, SO_PEERCRED, credentials, length);
    return { pid: credentials.readInt32LE(0), uid: credentials.readUInt32LE(4) };
  } catch (error) {
    if (['ECONNREFUSED', 'EAGAIN'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** struct sockaddr_un: an abstract name begins with a zero byte, and ends where the length says. */
function abstractAddress(name: string): Buffer {
  const address = Buffer.concat([Buffer.alloc(3), Buffer.from(name)]);
  address.writeUInt16LE(AF_UNIX);
  return address;
}

/** Waits on it end by their time. */
const nobody = new Int32Array(new SharedArrayBuffer(4));
const retryMs = 20;
const patienceMs = 2000;
const backlog = 128;

// asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

const socket = libc<[number, number, number]>('int socket(int family, int type, int protocol)');
const bind = libc<[number, Buffer, number]>('int bind(int fd, const void *address, uint size)');
const listen = libc<[number, number]>('int listen(int fd, int backlog)');
const connect = libc<[number, Buffer, number]>('int connect(int fd, const void *address, uint size)');
const getsockopt = libc<[number, number, number, Buffer, Buffer]>(
  'int getsockopt(int fd, int level, int option, void *value, void *length)',
);
