import { closeSync, ftruncateSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import { errnoOf } from '../stdx/errors.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from './constants.ts';
import { libc } from './libc.ts';

/**
 * Sends the descriptor of a sealed memory file with these bytes, for what is too large for a datagram.
 *
 *     struct msghdr   0 name | 8 name length | 16 iov | 24 iov count | 32 control | 40 control length | 48 flags
 *     struct cmsghdr  0 length (8 bytes) | 8 level | 12 type | 16 the descriptor | 20 padding
 *
 * @returns false when the other side takes nothing at the moment.
 */
export function sendMemory(fd: number, bytes: Buffer): boolean {
  const memory = memfdCreate('memfd_create', 'gantry-log', MFD_CLOEXEC | MFD_ALLOW_SEALING);
  try {
    ftruncateSync(memory, bytes.length);
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(memory, bytes, written, bytes.length - written, written);
    }
    fcntl(`fd ${memory}`, memory, F_ADD_SEALS, F_SEAL_ALL);
    const control = Buffer.alloc(24);
    control.writeBigUInt64LE(20n, 0);
    control.writeInt32LE(SOL_SOCKET, 8);
    control.writeInt32LE(SCM_RIGHTS, 12);
    control.writeInt32LE(memory, 16);
    const header = Buffer.alloc(56);
    header.writeBigUInt64LE(koffi.address(control), 32);
    header.writeBigUInt64LE(BigInt(control.length), 40);
    sendmsg(`fd ${fd}`, fd, header, MSG_DONTWAIT | MSG_NOSIGNAL);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN' || errnoOf(error) === 'ENOBUFS') return false;
    throw error;
  } finally {
    closeSync(memory);
  }
}

/** memfd_create(2), fcntl(2), unix(7) */
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
/** F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE, all of which the journal asks for. */
const F_SEAL_ALL = 15;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;

const memfdCreate = libc<[string, number]>('int memfd_create(const char *name, uint flags)');
const fcntl = libc<[number, number, number]>('int fcntl(int fd, int command, int argument)');
const sendmsg = libc<[number, Buffer, number]>('long sendmsg(int fd, const void *header, int flags)');
