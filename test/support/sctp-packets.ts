import { closeSync, readSync } from 'node:fs';
import { libc } from '../../src/linux/libc.ts';
import { withNetworkNamespace } from '../../src/linux/namespaces.ts';
import { pollDescriptor } from '../../src/linux/poll.ts';
import { formatIp, ipBytes, ipFromBytes, parseIp } from '../../src/stdx/ip.ts';
import type { Namespace } from './network-world.ts';

/** SCTP by hand, for kernels that translate it and have no sockets for it. */

/** Sends the packet that begins an association. */
export function sendSctpInit(from: Namespace, address: string, port: number): void {
  const packet = initPacket(4444, port);
  const name = Buffer.alloc(16);
  name.writeUInt16LE(AF_INET, 0);
  ipBytes(parseIp(address)!).copy(name, 4);
  const fd = withNetworkNamespace(from.path, rawSocket);
  try {
    sendto('', fd, packet, packet.length, 0, name, name.length);
  } finally {
    closeSync(fd);
  }
}

/** Calls back with `SOURCE to PORT` for every SCTP packet that comes in. @returns stops it. */
export function watchSctp(namespace: Namespace, onPacket: (text: string) => void): () => void {
  const fd = withNetworkNamespace(namespace.path, rawSocket);
  const buffer = Buffer.alloc(2048);
  const poller = pollDescriptor(fd, () => {
    readSync(fd, buffer);
    const headerBytes = (buffer.readUInt8(0) & 15) * 4;
    onPacket(`${formatIp(ipFromBytes(buffer.subarray(12, 16)))} to ${buffer.readUInt16BE(headerBytes + 2)}`);
  });
  poller.watch({ readable: true });
  return () => {
    poller.close();
    closeSync(fd);
  };
}

function rawSocket(): number {
  return socket('', AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_SCTP);
}

/**
 * Common header (RFC 9260, 3.1) and an INIT chunk (3.3.2):
 *
 *     0        2        4      8          12     13      14       16    20       24        26       28    32
 *     +--------+--------+------+----------+------+-------+--------+-----+--------+---------+--------+-----+
 *     | source | target | tag  | checksum | type | flags | length | tag | window | streams | streams| TSN |
 *     +--------+--------+------+----------+------+-------+--------+-----+--------+---------+--------+-----+
 */
function initPacket(sourcePort: number, targetPort: number): Buffer {
  const packet = Buffer.alloc(32);
  packet.writeUInt16BE(sourcePort, 0);
  packet.writeUInt16BE(targetPort, 2);
  packet.writeUInt8(1, 12);
  packet.writeUInt16BE(20, 14);
  packet.writeUInt32BE(1, 16);
  packet.writeUInt32BE(65_535, 20);
  packet.writeUInt16BE(1, 24);
  packet.writeUInt16BE(1, 26);
  packet.writeUInt32BE(1, 28);
  packet.writeUInt32LE(crc32c(packet), 8);
  return packet;
}

/** Connection tracking throws away what has a wrong one. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const AF_INET = 2;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_SCTP = 132;
const socket = libc<[number, number, number]>('int socket(int domain, int type, int protocol)');
const sendto = libc<[number, Buffer, number, number, Buffer, number]>(
  'long sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t size)',
);
