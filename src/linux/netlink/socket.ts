import { closeSync } from 'node:fs';
import { EngineError, errnoOf } from '../../stdx/errors.ts';
import { MSG_DONTWAIT } from '../constants.ts';
import { libc, libcAside, SystemError } from '../libc.ts';
import {
  decodeAcknowledgement,
  decodeMessages,
  encodeMessage,
  type Message,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './message.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/**
 * A netlink socket. It belongs to the network namespace the thread was in when it was made, and keeps working on
 * that namespace wherever the thread goes afterwards.
 *
 * Requests are synchronous: the kernel handles them inside send(2), so the answer is there when it returns.
 */
export class NetlinkSocket {
  /** For the few device requests that are no messages (ioctl). */
  readonly fd: number;
  #sequence = 0;

  constructor(protocol: typeof NETLINK_ROUTE | typeof NETLINK_NETFILTER = NETLINK_ROUTE) {
    this.fd = socket('netlink', AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK]) {
      setsockopt('netlink', this.fd, SOL_NETLINK, option, one, one.length);
    }
    // Without it the kernel ignores the filters of a dump (one master's links) and sends everything.
    if (protocol === NETLINK_ROUTE) {
      setsockopt('netlink', this.fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, one, one.length);
    }
  }

  /**
   * Sends one request and waits for its acknowledgement.
   * @param doing what an error names: `adding link "veth0"`.
   * @returns messages that came before the acknowledgement (the answer of a `get`).
   * @throws SystemError with the kernel's own explanation.
   */
  request(doing: string, type: number, flags: number, parts: readonly Uint8Array[]): Message[] {
    const sequence = this.#send(doing, type, flags | NLM_F_REQUEST | NLM_F_ACK, parts);
    const answers: Message[] = [];
    for (;;) {
      for (const message of this.#receive(doing)) {
        if (message.sequence !== sequence) continue;
        if (message.type !== NLMSG_ERROR) {
          answers.push(message);
          continue;
        }
        refuseError(doing, message);
        return answers;
      }
    }
  }

  /**
   * As `request`, in a thread of libuv's, for what takes the kernel long. The socket is for nothing else meanwhile.
   * @throws SystemError
   */
  async requestAside(
    doing: string,
    type: number,
    flags: number,
    parts: readonly Uint8Array[],
  ): Promise<void> {
    const message = this.#encode(type, flags | NLM_F_REQUEST | NLM_F_ACK, parts);
    const sent = await sendAside(this.fd, message, message.length, 0);
    if (sent !== message.length) throw new EngineError('unavailable', `${doing}: netlink took no request`);
    for (const answer of this.#receive(doing)) if (answer.type === NLMSG_ERROR) refuseError(doing, answer);
  }

  /** From now on what the kernel announces to a group is read by `arrived`. */
  join(group: number): void {
    // Members that have no address yet hear nothing. struct sockaddr_nl: the kernel chooses the port id.
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK);
    bind('netlink', this.fd, address, address.length);
    const number = Buffer.alloc(4);
    number.writeUInt32LE(group);
    setsockopt('netlink', this.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, number, number.length);
  }

  /** The announcements of one datagram, if there is one; those that came too fast are lost. */
  arrived(): Message[] {
    try {
      return [...this.#receive('announcements', MSG_DONTWAIT)];
    } catch (error) {
      if (['EAGAIN', 'ENOBUFS'].includes(errnoOf(error) ?? '')) return [];
      throw error;
    }
  }

  /** Asks for a list; asks again when the kernel changed it meanwhile. */
  dump(doing: string, type: number, parts: readonly Uint8Array[]): Message[] {
    for (let attempt = 0; attempt < dumpAttempts; attempt++) {
      const { messages, interrupted } = this.#dumpOnce(doing, type, parts);
      if (!interrupted) return messages;
    }
    throw new EngineError('unavailable', `${doing}: the kernel's list changes faster than it can be read`);
  }

  close(): void {
    closeSync(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #dumpOnce(
    doing: string,
    type: number,
    parts: readonly Uint8Array[],
  ): { messages: Message[]; interrupted: boolean } {
    const sequence = this.#send(doing, type, NLM_F_REQUEST | NLM_F_DUMP, parts);
    const messages: Message[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of this.#receive(doing)) {
        if (message.sequence !== sequence) continue;
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_ERROR) refuseError(doing, message);
        if (message.type === NLMSG_DONE) return { messages, interrupted };
        messages.push(message);
      }
    }
  }

  #send(doing: string, type: number, flags: number, parts: readonly Uint8Array[]): number {
    const message = this.#encode(type, flags, parts);
    send(doing, this.fd, message, message.length, 0);
    return this.#sequence;
  }

  #encode(type: number, flags: number, parts: readonly Uint8Array[]): Buffer {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return encodeMessage(type, flags, this.#sequence, parts);
  }

  /** One datagram, as a copy: the messages outlive the next call. */
  #receive(doing: string, flags = 0): Generator<Message> {
    const length = recv(doing, this.fd, receiveBuffer, receiveBuffer.length, MSG_TRUNC | flags);
    if (length > receiveBuffer.length)
      throw new EngineError('internal', `${doing}: netlink answer of ${length} bytes`);
    return decodeMessages(Buffer.from(receiveBuffer.subarray(0, length)));
  }
}

function refuseError(doing: string, message: Message): void {
  const { errno, text } = decodeAcknowledgement(message);
  if (errno !== 0) throw new SystemError(errno, doing, text === '' ? '' : `(${text})`);
}

/** The kernel never makes datagrams of a dump bigger than 32 KiB (net/netlink/af_netlink.c, netlink_dump). */
const receiveBuffer = Buffer.alloc(64 * 1024);
const dumpAttempts = 20;
const one = Buffer.from([1, 0, 0, 0]);

// bits/socket.h and linux/netlink.h
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const MSG_TRUNC = 0x20;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const socket = libc<[number, number, number]>('int socket(int domain, int type, int protocol)');
const setsockopt = libc<[number, number, number, Buffer, number]>(
  'int setsockopt(int fd, int level, int option, const void *value, uint32_t length)',
);
const bind = libc<[number, Buffer, number]>('int bind(int fd, const void *address, uint32_t length)');
const send = libc<[number, Buffer, number, number]>(
  'long send(int fd, const void *buffer, size_t length, int flags)',
);
const sendAside = libcAside<[number, Buffer, number, number]>(
  'long send(int fd, const void *buffer, size_t length, int flags)',
);
const recv = libc<[number, Buffer, number, number]>(
  'long recv(int fd, void *buffer, size_t length, int flags)',
);
