import dgram from 'node:dgram';
import { closeSync, openSync, writeSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLONE_NEWNET } from '../../src/linux/constants.ts';
import { openInetSocket } from '../../src/linux/inet-socket.ts';
import { libc, SystemError } from '../../src/linux/libc.ts';
import { setns, unshare, withNetworkNamespace } from '../../src/linux/namespaces.ts';
import { addAddress } from '../../src/linux/netlink/addresses.ts';
import { addVeth, findLink, setLinkUp } from '../../src/linux/netlink/links.ts';
import { setDefaultRoute } from '../../src/linux/netlink/routes.ts';
import { NetlinkSocket } from '../../src/linux/netlink/socket.ts';
import { ipBytes, parseInterface, parseIp } from '../../src/stdx/ip.ts';

/** A network namespace that lives as long as its file descriptor: nothing of it is left when the test ends. */
export interface Namespace {
  /** For everything that wants `/proc/<pid>/ns/net`. */
  path: string;
  close(): void;
}

/**
 * Puts the whole test process into a network namespace of its own, with `lo` up: its "host". Everything a test does
 * to links and firewalls stays in there.
 */
export function enterPrivateHost(): void {
  unshare(CLONE_NEWNET);
  using socket = new NetlinkSocket();
  setLinkUp(socket, 'lo');
}

/** A new namespace, to play a container or a neighbour. */
export function makeNamespace(): Namespace {
  const home = openSync('/proc/thread-self/ns/net', 'r');
  unshare(CLONE_NEWNET);
  const fd = openSync('/proc/thread-self/ns/net', 'r');
  setns(home, CLONE_NEWNET);
  closeSync(home);
  return { path: `/proc/${process.pid}/fd/${fd}`, close: () => closeSync(fd) };
}

/**
 * A machine on the host's LAN: a cable between the two, addresses on both ends, and the neighbour's default route by
 * the host, so that it can send to any address there.
 */
export function plugNeighbour(addresses: { host: string; neighbour: string }[], name = 'lan'): Namespace {
  const neighbour = makeNamespace();
  using host = new NetlinkSocket();
  const fd = openSync(neighbour.path, 'r');
  addVeth(host, { name: `${name}0`, peer: { name: `${name}1`, namespaceFd: fd } });
  closeSync(fd);
  setUp(
    host,
    `${name}0`,
    addresses.map(pair => pair.host),
  );
  withNetworkNamespace(neighbour.path, () => {
    using socket = new NetlinkSocket();
    setLinkUp(socket, 'lo');
    setUp(
      socket,
      `${name}1`,
      addresses.map(pair => pair.neighbour),
    );
    for (const pair of addresses) setDefaultRoute(socket, parseInterface(pair.host)!.address);
  });
  return neighbour;
}

function setUp(socket: NetlinkSocket, name: string, addresses: string[]): void {
  const { index } = findLink(socket, name)!;
  setLinkUp(socket, name);
  for (const text of addresses) {
    const { address, subnet } = parseInterface(text)!;
    addAddress(socket, { linkIndex: index, address, prefixLength: subnet.prefixLength });
  }
}

/** Works in the namespace, or in the host's when there is none. */
function inside<T>(namespace: Namespace | undefined, work: () => T): T {
  return namespace === undefined ? work() : withNetworkNamespace(namespace.path, work);
}

/** A TCP server that says its name and who asked. Any address of both families. */
export function serveTcp(namespace: Namespace | undefined, port: number, name: string): { close(): void } {
  const servers = ['0.0.0.0', '::'].map(address => {
    const fd = inside(namespace, () => openInetSocket({ protocol: 'tcp', address: parseIp(address)!, port }));
    const server = net.createServer(socket => {
      socket.on('error', () => socket.destroy());
      socket.end(`${name} ${socket.remoteAddress}`);
    });
    server.listen({ fd });
    return server;
  });
  return {
    close() {
      for (const server of servers) server.close();
    },
  };
}

/** A UDP server that answers every datagram with its name. */
export function serveUdp(namespace: Namespace | undefined, port: number, name: string): { close(): void } {
  const fd = inside(namespace, () => openInetSocket({ protocol: 'udp', address: parseIp('0.0.0.0')!, port }));
  const socket = dgram.createSocket('udp4');
  socket.on('message', (_, from) => socket.send(name, from.port, from.address));
  socket.bind({ fd });
  return socket;
}

/** What a TCP server says; the errno of a connection that fails; `timeout` when nothing comes back. */
export async function askTcp(
  namespace: Namespace | undefined,
  address: string,
  port: number,
): Promise<string> {
  let fd: number;
  try {
    fd = inside(namespace, () => connectSocket(SOCK_STREAM, address, port));
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  const socket = new net.Socket({ fd, readable: true, writable: true });
  return await firstOf(resolve => {
    let text = '';
    socket.on('data', chunk => {
      text += chunk;
    });
    socket.on('end', () => resolve(text === '' ? 'empty' : text));
    socket.on('error', error => resolve((error as NodeJS.ErrnoException).code ?? String(error)));
    socket.resume();
  }).finally(() => socket.destroy());
}

/**
 * Asks again while another answer comes than the one wanted: a packet may be lost while a bridge looks whether its own
 * IPv6 address is anybody else's, or while the machine is busy. @returns the last answer
 */
export async function askUntil(
  wanted: string,
  namespace: Namespace | undefined,
  address: string,
  port: number,
): Promise<string> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const answer = await askTcp(namespace, address, port);
    if (answer === wanted || Date.now() >= deadline) return answer;
    await sleep(100);
  }
}

export async function askUdp(
  namespace: Namespace | undefined,
  address: string,
  port: number,
): Promise<string> {
  const fd = inside(namespace, () => connectSocket(SOCK_DGRAM, address, port));
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const answer = firstOf(resolve => {
    socket.on('message', message => resolve(String(message)));
    socket.on('error', error => resolve((error as NodeJS.ErrnoException).code ?? String(error)));
  }).finally(() => socket.close());
  writeSync(fd, 'hello');
  socket.bind({ fd });
  return await answer;
}

/** Sends some bytes from a namespace and gives the first that come back. */
export async function connectFrom(
  namespace: Namespace,
  protocol: 'tcp' | 'udp',
  address: string,
  port: number,
  bytes: Buffer,
): Promise<Buffer> {
  const fd = inside(namespace, () =>
    connectSocket(protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM, address, port),
  );
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  if (protocol === 'tcp') {
    const socket = new net.Socket({ fd, readable: true, writable: true });
    socket.on('data', resolve).on('error', reject).write(bytes);
    return await promise.finally(() => socket.destroy());
  }
  const socket = dgram.createSocket('udp4').on('message', resolve).on('error', reject);
  writeSync(fd, bytes);
  socket.bind({ fd });
  return await promise.finally(() => socket.close());
}

/**
 * A lost packet shows by nothing coming back: there is no event to wait for. Longer than the second after which a SYN
 * that was lost without meaning to is sent again.
 */
const silenceMs = 1500;

function firstOf(start: (resolve: (text: string) => void) => void): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve('timeout'), silenceMs);
  start(resolve);
  return promise.finally(() => clearTimeout(timer));
}

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const socketCall = libc<[number, number, number]>('int socket(int domain, int type, int protocol)');
const connectCall = libc<[number, Buffer, number]>(
  'int connect(int fd, const void *address, uint32_t length)',
);

/** Begins to connect; whether it succeeds shows later. */
function connectSocket(type: number, text: string, port: number): number {
  const address = parseIp(text)!;
  const family = address.family === 4 ? 2 : 10;
  const name = Buffer.alloc(address.family === 4 ? 16 : 28);
  name.writeUInt16LE(family, 0);
  name.writeUInt16BE(port, 2);
  ipBytes(address).copy(name, address.family === 4 ? 4 : 8);
  const fd = socketCall('', family, type | SOCK_NONBLOCK, 0);
  try {
    connectCall(`${text} ${port}`, fd, name, name.length);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'EINPROGRESS') {
      closeSync(fd);
      throw error;
    }
  }
  return fd;
}
