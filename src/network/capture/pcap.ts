import type { SeenPacket } from '../../linux/packet-socket.ts';

/**
 * The head of a capture file, in this machine's byte order (pcap-savefile(5)):
 *
 *     0            4       6       8            16              20
 *     +------------+-------+-------+------------+---------------+-----------+
 *     | a1b23c4d   | 2     | 4     | 8 zeroes   | kept bytes    | link type |
 *     +------------+-------+-------+------------+---------------+-----------+
 *
 * The number in front says that times are in nanoseconds.
 */
export function pcapHeader(keptBytes: number): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b23c4d, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(keptBytes, 16);
  header.writeUInt32LE(LINKTYPE_ETHERNET, 20);
  return header;
}

/** A packet as it stands in the file: seconds, nanoseconds, bytes kept, bytes it had, and then itself. */
export function pcapRecord(packet: SeenPacket, keptBytes: number): Buffer {
  const { lengthBytes, seconds, nanoseconds } = packet;
  const bytes = packet.bytes.subarray(0, keptBytes);
  const record = Buffer.alloc(16 + bytes.length);
  record.writeUInt32LE(seconds >>> 0, 0);
  record.writeUInt32LE(nanoseconds, 4);
  record.writeUInt32LE(bytes.length, 8);
  record.writeUInt32LE(lengthBytes, 12);
  bytes.copy(record, 16);
  return record;
}

const LINKTYPE_ETHERNET = 1;
