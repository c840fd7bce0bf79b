import dgram from 'node:dgram';
import net from 'node:net';
import { AnsweringSocket } from '../../linux/answering-socket.ts';
import type { Log } from '../../stdx/log.ts';

/** Where a proxy passes things on to. */
export interface ProxyTarget {
  address: string;
  port: number;
}

export interface PortProxy {
  /** Frees the port at once and ends what passes through. */
  close(): void;
}

/**
 * Answers on a published port for what the firewall's map does not catch: connections to ::1 and, for containers
 * without an IPv6 address, to every IPv6 address of the host; and all of them while the rules are missing because
 * somebody flushed them. Its socket is also what keeps other processes from taking the port.
 * @param fd a bound (TCP: listening) socket, which belongs to the proxy from now on.
 */
export function startProxy(
  protocol: 'tcp' | 'udp',
  fd: number,
  family: 4 | 6,
  target: ProxyTarget,
  log: Log,
): PortProxy {
  return protocol === 'tcp' ? startTcpProxy(fd, target, log) : startUdpProxy(fd, family, target);
}

function startTcpProxy(fd: number, target: ProxyTarget, log: Log): PortProxy {
  const sockets = new Set<net.Socket>();
  const track = (socket: net.Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, client => {
    const upstream = net.connect({
      host: target.address,
      port: target.port,
      allowHalfOpen: true,
      noDelay: true,
    });
    track(client);
    track(upstream);
    // An aborted connection on one side is one on the other side too; a refused one shows as a reset, as there
    // is no way to refuse what the kernel has accepted already.
    client.once('error', () => upstream.resetAndDestroy());
    upstream.once('error', () => client.resetAndDestroy());
    client.pipe(upstream);
    upstream.pipe(client);
  });
  server.maxConnections = maxClients;
  server.on('error', error => log.warn({ error: error.message, target }, 'proxy of a published port'));
  server.listen({ fd });
  server.unref();
  return {
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Of one port at a time: each takes a descriptor or two of the daemon's. */
const maxClients = 2000;

/** As long as dockerd's proxy remembers who asked (userland-proxy, UDPConnTrackTimeout). */
const udpIdleMs = 90_000;

function startUdpProxy(fd: number, family: 4 | 6, target: ProxyTarget): PortProxy {
  const clients = new Map<string, UdpClient>();
  const server = new AnsweringSocket(fd, family, (message, asker) => {
    const { key } = asker;
    let client = clients.get(key);
    if (client === undefined) {
      // Sender addresses are easily made up: the oldest one's socket goes before the daemon has none left.
      if (clients.size >= maxClients) clients.values().next().value?.close();
      client = new UdpClient(
        target,
        answer => server.send(answer, asker),
        () => clients.delete(key),
      );
      clients.set(key, client);
    }
    client.send(message);
  });
  return {
    close() {
      server.close();
      for (const client of clients.values()) client.close();
    },
  };
}

/** One asking peer: a socket of its own towards the container, by which the answers find back. */
class UdpClient {
  readonly #socket: dgram.Socket;
  readonly #target: ProxyTarget;
  readonly #idle: NodeJS.Timeout;
  readonly #ended: () => void;
  #closed = false;

  constructor(target: ProxyTarget, answer: (message: Buffer) => void, ended: () => void) {
    this.#target = target;
    this.#ended = ended;
    this.#socket = dgram.createSocket(target.address.includes(':') ? 'udp6' : 'udp4');
    this.#socket.on('message', message => {
      this.#idle.refresh();
      answer(message);
    });
    this.#socket.on('error', () => this.close());
    this.#socket.unref();
    this.#idle = setTimeout(() => this.close(), udpIdleMs).unref();
  }

  send(message: Buffer): void {
    this.#idle.refresh();
    this.#socket.send(message, this.#target.port, this.#target.address);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#idle);
    this.#socket.close();
    this.#ended();
  }
}
