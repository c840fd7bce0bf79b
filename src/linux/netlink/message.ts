import { align, parseAttributes, readText } from './attributes.ts';

/**
 * Netlink messages (linux/netlink.h, struct nlmsghdr):
 *
 *     0         4        6        8          12         16
 *     +---------+--------+--------+----------+----------+----------------------+------------+
 *     | length  | type   | flags  | sequence | port id  | family's own header  | attributes |
 *     +---------+--------+--------+----------+----------+----------------------+------------+
 *
 * One datagram holds one or more of them, each padded to four bytes.
 */
export interface Message {
  type: number;
  flags: number;
  sequence: number;
  /** Everything after the 16 bytes of header. */
  payload: Buffer;
}

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
/** The dump saw the kernel change underneath: ask again. */
export const NLM_F_DUMP_INTR = 0x10;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

const headerBytes = 16;

export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  parts: readonly Uint8Array[],
): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, headerBytes);
  const message = Buffer.alloc(length);
  message.writeUInt32LE(length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(flags, 6);
  message.writeUInt32LE(sequence, 8);
  let offset = headerBytes;
  for (const part of parts) {
    message.set(part, offset);
    offset += part.length;
  }
  return message;
}

/** Splits a datagram into its messages; a torn last one is left out. */
export function* decodeMessages(datagram: Buffer): Generator<Message> {
  let offset = 0;
  while (offset + headerBytes <= datagram.length) {
    const length = datagram.readUInt32LE(offset);
    if (length < headerBytes || offset + length > datagram.length) return;
    yield {
      type: datagram.readUInt16LE(offset + 4),
      flags: datagram.readUInt16LE(offset + 6),
      sequence: datagram.readUInt32LE(offset + 8),
      payload: datagram.subarray(offset + headerBytes, offset + length),
    };
    offset += align(length);
  }
}

export interface Acknowledgement {
  /** 0 for success. */
  errno: number;
  /** What the kernel has to say about it (extended acknowledgement); '' when nothing. */
  text: string;
}

/**
 * The payload of NLMSG_ERROR, which is also the acknowledgement (struct nlmsgerr):
 *
 *     0        4                       20 (with NLM_F_CAPPED: only the header of the request comes back)
 *     +--------+-----------------------+-------------------------------------------+
 *     | -errno | header of the request | with NLM_F_ACK_TLVS: attributes, 1 = text |
 *     +--------+-----------------------+-------------------------------------------+
 */
export function decodeAcknowledgement({ flags, payload }: Message): Acknowledgement {
  const errno = -payload.readInt32LE(0);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, text: '' };
  const echoed = (flags & NLM_F_CAPPED) !== 0 ? headerBytes : payload.readUInt32LE(4);
  const text = parseAttributes(payload.subarray(4 + align(echoed))).get(NLMSGERR_ATTR_MSG);
  return { errno, text: text === undefined ? '' : readText(text) };
}

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
