import { closeSync } from 'node:fs';
import { type IpAddress, ipBytes } from '../stdx/ip.ts';
import { libc } from './libc.ts';

export interface InetSocketOptions {
  protocol: 'tcp' | 'udp' | 'sctp';
  address: IpAddress;
  /** 0: the kernel chooses. */
  port: number;
  /** false: others are kept from the port, and who connects is refused. true when undefined. */
  listening?: boolean;
}

/**
 * A socket bound at once, in the network namespace the thread is in, with errors thrown here and now: Node's own
 * `listen` and `bind` report them later and open the socket in whatever namespace the thread is in by then. The file
 * descriptor is for `net.Server.listen({ fd })` or dgram's `bind({ fd })`, which close it.
 *
 * TCP and SCTP sockets listen already, unless asked not to.
 */
export function openInetSocket({ protocol, address, port, listening = true }: InetSocketOptions): number {
  const detail = `${protocol} port ${port}`;
  const type = protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM;
  const family = address.family === 4 ? AF_INET : AF_INET6;
  const fd = socket(detail, family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocols[protocol]);
  try {
    if (protocol !== 'udp') setsockopt(detail, fd, SOL_SOCKET, SO_REUSEADDR, one, one.length);
    // The IPv4 side of the same port has a socket of its own.
    if (address.family === 6) setsockopt(detail, fd, IPPROTO_IPV6, IPV6_V6ONLY, one, one.length);
    const name = socketAddress(address, port);
    bind(detail, fd, name, name.length);
    if (protocol !== 'udp' && listening) listen(detail, fd, backlog);
    // Two sockets with this option may have one port as long as neither listens: so it was for bind(2) alone, which
    // connections that ended a minute ago would fail without it.
    if (protocol !== 'udp' && !listening) setsockopt(detail, fd, SOL_SOCKET, SO_REUSEADDR, zero, zero.length);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * A socket that is nowhere yet, in the network namespace the thread is in: what connects it later, and from wherever,
 * goes out from there. For dgram's `bind({ fd })`, or `new net.Socket({ fd, manualStart: true })`.
 */
export function openUnboundSocket(protocol: 'tcp' | 'udp', family: 4 | 6): number {
  const type = protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM;
  const domain = family === 4 ? AF_INET : AF_INET6;
  return socket(protocol, domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocols[protocol]);
}

/** The port a socket is bound to. */
export function localPort(fd: number): number {
  const name = Buffer.alloc(28);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(name.length);
  getsockname('', fd, name, length);
  return name.readUInt16BE(2);
}

/**
 * struct sockaddr_in (16 bytes) and sockaddr_in6 (28 bytes); family in host byte order, the rest in network order:
 *
 *     0        2      4                      8          24         28
 *     +--------+------+----------------------+----------+----------+
 *     | family | port | IPv4 address         | 8 zeroes |
 *     | family | port | flow information (0) | IPv6     | scope id |
 *     +--------+------+----------------------+----------+----------+
 */
function socketAddress(address: IpAddress, port: number): Buffer {
  const name = Buffer.alloc(address.family === 4 ? 16 : 28);
  name.writeUInt16LE(address.family === 4 ? AF_INET : AF_INET6, 0);
  name.writeUInt16BE(port, 2);
  ipBytes(address).copy(name, address.family === 4 ? 4 : 8);
  return name;
}

// bits/socket.h, asm-generic/socket.h, netinet/in.h
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const protocols = { tcp: 6, udp: 17, sctp: 132 };
const backlog = 4096;
const one = Buffer.from([1, 0, 0, 0]);
const zero = Buffer.alloc(4);

const socket = libc<[number, number, number]>('int socket(int domain, int type, int protocol)');
const bind = libc<[number, Buffer, number]>('int bind(int fd, const void *address, uint32_t length)');
const listen = libc<[number, number]>('int listen(int fd, int backlog)');
const setsockopt = libc<[number, number, number, Buffer, number]>(
  'int setsockopt(int fd, int level, int option, const void *value, uint32_t length)',
);
const getsockname = libc<[number, Buffer, Buffer]>('int getsockname(int fd, void *address, void *length)');
