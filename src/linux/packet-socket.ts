import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { errnoOf } from '../stdx/errors.ts';
import { MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_NONBLOCK } from './constants.ts';
import { libc } from './libc.ts';

/** A frame that a link sent or received. */
export interface SeenPacket {
  /** As much of it as is kept, from its Ethernet header on; valid until the next call. */
  bytes: Buffer;
  /** How long it was. */
  lengthBytes: number;
  seconds: number;
  nanoseconds: number;
}

/**
 * Sees every frame of one link (packet(7)), of the network namespace the thread is in when it is made. It receives
 * many with one system call (recvmmsg(2)), each with the kernel's own time.
 *
 *     headers   struct mmsghdr[count], 64 bytes each:
 *               16 iov pointer | 24 iov count | 32 control pointer | 40 control length | 48 flags | 56 received length
 *     vectors   struct iovec[count], 16 bytes each:    0 pointer | 8 length
 *     controls  count slots of 64 bytes: struct cmsghdr (0 length | 8 level | 12 type), then at 16 a struct timespec
 *     arena     count slots of `keptBytes`
 */
export class PacketSocket {
  readonly fd: number;
  readonly #keptBytes: number;
  readonly #headers = Buffer.alloc(64 * count);
  readonly #vectors = Buffer.alloc(16 * count);
  readonly #controls = Buffer.alloc(controlBytes * count);
  readonly #arena: Buffer;

  /** @param options.promiscuous frames too that are for others: on a bridge, what goes from port to port */
  constructor(linkIndex: number, keptBytes: number, { promiscuous = false } = {}) {
    this.#keptBytes = keptBytes;
    this.#arena = Buffer.alloc(keptBytes * count);
    const [vectors, controls, arena] = [this.#vectors, this.#controls, this.#arena].map(koffi.address);
    for (let index = 0; index < count; index++) {
      this.#vectors.writeBigUInt64LE(arena! + BigInt(index * keptBytes), index * 16);
      this.#vectors.writeBigUInt64LE(BigInt(keptBytes), index * 16 + 8);
      this.#headers.writeBigUInt64LE(vectors! + BigInt(index * 16), index * 64 + 16);
      this.#headers.writeBigUInt64LE(1n, index * 64 + 24);
      this.#headers.writeBigUInt64LE(controls! + BigInt(index * controlBytes), index * 64 + 32);
    }
    // Without a protocol it hears of no link at all until it is bound to one.
    this.fd = socket('packets', AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    try {
      setsockopt('packets', this.fd, SOL_SOCKET, SO_TIMESTAMPNS, int(1), 4);
      setsockopt('packets', this.fd, SOL_SOCKET, SO_RCVBUFFORCE, int(receiveBufferBytes), 4);
      const address = linkAddress(linkIndex);
      bind('packets', this.fd, address, address.length);
      if (promiscuous) {
        // struct packet_mreq: 0 link index | 4 type | 6 address length | 8 address. It ends with the socket.
        const membership = Buffer.alloc(16);
        membership.writeInt32LE(linkIndex, 0);
        membership.writeUInt16LE(PACKET_MR_PROMISC, 4);
        setsockopt('packets', this.fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership, membership.length);
      }
    } catch (error) {
      closeSync(this.fd);
      throw error;
    }
  }

  /** What is there; [] when nothing is. @throws SystemError ENETDOWN when the link is gone or down */
  receive(): SeenPacket[] {
    for (let index = 0; index < count; index++) {
      this.#headers.writeBigUInt64LE(BigInt(controlBytes), index * 64 + 40);
    }
    let received: number;
    try {
      received = recvmmsg('packets', this.fd, this.#headers, count, MSG_DONTWAIT | MSG_TRUNC, null);
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') return [];
      throw error;
    }
    return Array.from({ length: received }, (_, index) => this.#packet(index));
  }

  close(): void {
    closeSync(this.fd);
  }

  #packet(index: number): SeenPacket {
    const lengthBytes = this.#headers.readUInt32LE(index * 64 + 56);
    const start = index * this.#keptBytes;
    const time = index * controlBytes + 16;
    return {
      bytes: this.#arena.subarray(start, start + Math.min(lengthBytes, this.#keptBytes)),
      lengthBytes,
      seconds: Number(this.#controls.readBigInt64LE(time)),
      nanoseconds: Number(this.#controls.readBigInt64LE(time + 8)),
    };
  }
}

/** struct sockaddr_ll: 0 family | 2 protocol, in network order | 4 link index | 8 what only received ones have */
function linkAddress(linkIndex: number): Buffer {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETH_P_ALL, 2);
  address.writeInt32LE(linkIndex, 4);
  return address;
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

const count = 32;
const controlBytes = 64;
/** What waits while the daemon does something else; what is more is lost. */
const receiveBufferBytes = 16 << 20;

// bits/socket.h, asm-generic/socket.h, linux/if_ether.h, linux/if_packet.h
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_PROMISC = 1;
const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_TIMESTAMPNS = 35;
const MSG_TRUNC = 0x20;
const ETH_P_ALL = 3;

const socket = libc<[number, number, number]>('int socket(int domain, int type, int protocol)');
const setsockopt = libc<[number, number, number, Buffer, number]>(
  'int setsockopt(int fd, int level, int option, const void *value, uint32_t length)',
);
const bind = libc<[number, Buffer, number]>('int bind(int fd, const void *address, uint32_t length)');
const recvmmsg = libc<[number, Buffer, number, number, null]>(
  'int recvmmsg(int fd, void *headers, uint count, int flags, void *timeout)',
);
