import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import koffi from 'koffi';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import {
  AF_UNIX,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  O_PATH,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
} from './constants.ts';
import { libc } from './libc.ts';

/**
 * Connects a non-blocking, close-on-exec socket of this type (SOCK_SEQPACKET, SOCK_DGRAM). Paths of any length.
 * @returns its descriptor; send with `sendPacket`.
 */
export function connectUnix(path: string, type: number): number {
  const fd = socket(path, AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  try {
    withShortPath(path, short => {
      const address = unixAddress(short);
      connect(path, fd, address, address.length);
    });
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** @returns false when the other side takes nothing at the moment. */
export function sendPacket(fd: number, bytes: Uint8Array): boolean {
  try {
    send(`fd ${fd}`, fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN' || errnoOf(error) === 'ENOBUFS') return false;
    throw error;
  }
}

/** The other side reads to the end of what was sent; the other direction goes on. */
export function shutdownWrite(fd: number): void {
  shutdown(`fd ${fd}`, fd, SHUT_WR);
}

/**
 * Receives many packets with one system call (recvmmsg(2)) into memory it keeps: one per thread is enough, the
 * packets are to be copied before the next call.
 *
 *     headers   struct mmsghdr[count], 64 bytes each: 16 iov pointer | 24 iov count | 48 flags | 56 received length
 *     vectors   struct iovec[count], 16 bytes each:    0 pointer | 8 length
 *     arena     count slots of `packetBytes`
 */
export class PacketReceiver {
  readonly #count: number;
  readonly #packetBytes: number;
  readonly #headers: Buffer;
  readonly #vectors: Buffer;
  readonly #arena: Buffer;

  constructor(count: number, packetBytes: number) {
    this.#count = count;
    this.#packetBytes = packetBytes;
    this.#headers = Buffer.alloc(64 * count);
    this.#vectors = Buffer.alloc(16 * count);
    this.#arena = Buffer.alloc(packetBytes * count);
    const [vectors, arena] = [koffi.address(this.#vectors), koffi.address(this.#arena)];
    for (let index = 0; index < count; index++) {
      this.#vectors.writeBigUInt64LE(arena + BigInt(index * packetBytes), index * 16);
      this.#vectors.writeBigUInt64LE(BigInt(packetBytes), index * 16 + 8);
      this.#headers.writeBigUInt64LE(vectors + BigInt(index * 16), index * 64 + 16);
      this.#headers.writeBigUInt64LE(1n, index * 64 + 24);
    }
  }

  /** What is there, in order; an empty packet is the end of the stream. [] when nothing is there. */
  receive(fd: number): Buffer[] {
    let received: number;
    try {
      received = recvmmsg(`fd ${fd}`, fd, this.#headers, this.#count, MSG_DONTWAIT, null);
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') return [];
      throw error;
    }
    const packets: Buffer[] = [];
    for (let index = 0; index < received; index++) {
      const start = index * this.#packetBytes;
      packets.push(this.#arena.subarray(start, start + this.#headers.readUInt32LE(index * 64 + 56)));
    }
    return packets;
  }
}

const MAX_UNIX_PATH_BYTES = 107;

/** sockaddr_un holds 107 bytes: longer paths go through a descriptor of the directory. */
function withShortPath<T>(path: string, work: (path: string) => T): T {
  if (Buffer.byteLength(path) <= MAX_UNIX_PATH_BYTES) return work(path);
  const directory = openSync(dirname(path), O_PATH | constants.O_DIRECTORY);
  try {
    return work(`/proc/self/fd/${directory}/${basename(path)}`);
  } finally {
    closeSync(directory);
  }
}

/** struct sockaddr_un { u16 family; char path[108] } */
function unixAddress(path: string): Buffer {
  const bytes = Buffer.from(path);
  if (bytes.length > MAX_UNIX_PATH_BYTES)
    throw new EngineError('internal', `socket path is too long: ${path}`);
  const address = Buffer.alloc(2 + 108);
  address.writeUInt16LE(AF_UNIX, 0);
  bytes.copy(address, 2);
  return address;
}

const socket = libc<[number, number, number]>('int socket(int family, int type, int protocol)');
const connect = libc<[number, Buffer, number]>('int connect(int fd, const void *address, uint size)');
const send = libc<[number, Uint8Array, number, number]>(
  'long send(int fd, const void *bytes, size_t size, int flags)',
);
const shutdown = libc<[number, number]>('int shutdown(int fd, int how)');
const recvmmsg = libc<[number, Buffer, number, number, null]>(
  'int recvmmsg(int fd, void *headers, uint count, int flags, void *timeout)',
);
