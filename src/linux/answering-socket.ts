import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { errnoOf } from '../stdx/errors.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from './constants.ts';
import { libc } from './libc.ts';
import { pollDescriptor } from './poll.ts';

/** Who sent a datagram, and to which address of this host: the answer goes back between the same two. */
export interface Asker {
  /** The same for every datagram between these two. */
  key: string;
  /** struct sockaddr_in or sockaddr_in6 */
  name: Buffer;
  /** The control message for sendmsg(2). */
  control: Buffer;
}

/**
 * A UDP socket on all addresses of a host that answers from the address it was asked at. Node's own leaves that to the
 * routing table, and on a host with several addresses the client throws the answer of a stranger away.
 *
 *     struct msghdr    0 name | 8 name length | 16 iov | 24 iov count | 32 control | 40 control length | 48 flags
 *     struct cmsghdr   0 length (8 bytes) | 8 level | 12 type | 16 data
 *     in_pktinfo       0 interface | 4 own address | 8 address in the packet
 *     in6_pktinfo      0 own address (16 bytes) | 16 interface
 */
export class AnsweringSocket {
  readonly #fd: number;
  readonly #family: 4 | 6;
  readonly #onMessage: (message: Buffer, asker: Asker) => void;
  readonly #poller: ReturnType<typeof pollDescriptor>;
  #closed = false;
  /** The kernel reads and writes by bare addresses meanwhile: this keeps them valid. */
  #inUse: MessageHeader | undefined;

  /** @param fd a bound socket, which belongs to this one from now on. */
  constructor(fd: number, family: 4 | 6, onMessage: (message: Buffer, asker: Asker) => void) {
    this.#fd = fd;
    this.#family = family;
    this.#onMessage = onMessage;
    const [level, option] = family === 4 ? [IPPROTO_IP, IP_PKTINFO] : [IPPROTO_IPV6, IPV6_RECVPKTINFO];
    setsockopt(`fd ${fd}`, fd, level, option, one, one.length);
    this.#poller = pollDescriptor(fd, () => this.#receiveSome());
    this.#poller.watch({ readable: true });
  }

  /** What cannot be sent is lost, as datagrams are. */
  send(message: Buffer, { name, control }: Asker): void {
    if (this.#closed) return;
    this.#inUse = messageHeader(name, message, control);
    try {
      sendmsg(`fd ${this.#fd}`, this.#fd, this.#inUse.bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    } catch {
      // The client's own time-out is what deals with it.
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poller.close();
    closeSync(this.#fd);
  }

  #receiveSome(): void {
    for (let count = 0; count < messagesPerTurn && !this.#closed; count++) {
      const received = this.#receive();
      if (received === undefined) return;
      const { message, asker } = received;
      if (asker !== undefined) this.#onMessage(message, asker);
    }
  }

  #receive(): { message: Buffer; asker: Asker | undefined } | undefined {
    const name = Buffer.alloc(this.#family === 4 ? 16 : 28);
    const control = Buffer.alloc(64);
    this.#inUse = messageHeader(name, arena, control);
    let length: number;
    try {
      length = recvmsg(`fd ${this.#fd}`, this.#fd, this.#inUse.bytes, MSG_DONTWAIT);
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') return undefined;
      throw error;
    }
    const message = Buffer.from(arena.subarray(0, length));
    return { message, asker: this.#askerOf(name, control) };
  }

  /** undefined when the kernel does not say where the datagram was sent to. */
  #askerOf(name: Buffer, received: Buffer): Asker | undefined {
    const four = this.#family === 4;
    const isExpected = four
      ? received.readInt32LE(8) === IPPROTO_IP && received.readInt32LE(12) === IP_PKTINFO
      : received.readInt32LE(8) === IPPROTO_IPV6 && received.readInt32LE(12) === IPV6_PKTINFO;
    if (!isExpected) return undefined;
    // Padded to eight bytes: 16 + 12 and 16 + 20.
    const control = Buffer.from(received.subarray(0, four ? 32 : 40));
    // By whichever link leads there; link-local addresses mean nothing without theirs.
    if (four) control.writeInt32LE(0, 16);
    else if (received.readUInt16BE(16) >> 6 !== linkLocalPrefix) control.writeInt32LE(0, 32);
    return { key: Buffer.concat([name, control]).toString('base64'), name, control };
  }
}

interface MessageHeader {
  bytes: Buffer;
  /** What the bytes have addresses of. */
  parts: Buffer[];
}

function messageHeader(name: Buffer, message: Buffer, control: Buffer): MessageHeader {
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(koffi.address(message), 0);
  vector.writeBigUInt64LE(BigInt(message.length), 8);
  const bytes = Buffer.alloc(56);
  bytes.writeBigUInt64LE(koffi.address(name), 0);
  bytes.writeUInt32LE(name.length, 8);
  bytes.writeBigUInt64LE(koffi.address(vector), 16);
  bytes.writeBigUInt64LE(1n, 24);
  bytes.writeBigUInt64LE(koffi.address(control), 32);
  bytes.writeBigUInt64LE(BigInt(control.length), 40);
  return { bytes, parts: [name, vector, message, control] };
}

const messagesPerTurn = 64;
/** The largest datagram there is. */
const arena = Buffer.alloc(65_536);
/** fe80::/10 */
const linkLocalPrefix = 0xfe80 >> 6;
const one = Buffer.from([1, 0, 0, 0]);

// netinet/in.h
const IPPROTO_IP = 0;
const IP_PKTINFO = 8;
const IPPROTO_IPV6 = 41;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;

const setsockopt = libc<[number, number, number, Buffer, number]>(
  'int setsockopt(int fd, int level, int option, const void *value, uint32_t length)',
);
const recvmsg = libc<[number, Buffer, number]>('long recvmsg(int fd, void *header, int flags)');
const sendmsg = libc<[number, Buffer, number]>('long sendmsg(int fd, const void *header, int flags)');
