import dgram from 'node:dgram';
import { closeSync } from 'node:fs';
import net from 'node:net';
import { localPort, openInetSocket, openUnboundSocket } from '../../linux/inet-socket.ts';
import { openNamespace, withNetworkNamespace } from '../../linux/namespaces.ts';
import { Nftables } from '../../linux/nftables/nftables.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import { isLoopback, parseIp } from '../../stdx/ip.ts';
import type { Log } from '../../stdx/log.ts';
import type { Egress } from '../egress.ts';
import { embeddedServer } from '../files.ts';
import type { Upstreams } from '../network.ts';
import { answerLocally, encodeAnswer, encodeDatagram, parseQuery, type Query, rcodes } from './answers.ts';
import { forward, type OpenSocket, withLength } from './forwarder.ts';
import { mayForward, type NameSource } from './names.ts';

/**
 * The embedded name server of one container. Its sockets are in the container's network namespace, its code is here.
 *
 * It listens on 127.0.0.11 at ports the kernel chose, and a rule inside of the namespace leads port 53 there, as in
 * Docker: port 53 itself stays free for a container that is a name server.
 */
export class EmbeddedResolver {
  readonly #containerId: string;
  readonly #source: NameSource;
  readonly #log: Log;
  readonly #udp: dgram.Socket;
  readonly #tcp: net.Server;
  readonly #connections = new Set<net.Socket>();
  readonly #upstreams: () => Upstreams;
  readonly #forwardsSingleNames: boolean;
  readonly #egress: Pick<Egress, 'judge' | 'learn'>;
  /** Held, not looked up again: the process may have ended, and another one have its number. */
  readonly #namespaceFd: number;
  #closed = false;
  #forwarding = 0;

  /**
   * @param options.upstreams asked at each forwarded question: the host's servers may change.
   * @param options.forwardsSingleNames otherwise names without a dot are asked of nobody: with `ndots` the asker tries
   *   them with its search domains.
   */
  constructor(options: {
    containerId: string;
    namespacePath: string;
    source: NameSource;
    upstreams: () => Upstreams;
    forwardsSingleNames: boolean;
    egress: Pick<Egress, 'judge' | 'learn'>;
    log: Log;
  }) {
    this.#containerId = options.containerId;
    this.#source = options.source;
    this.#upstreams = options.upstreams;
    this.#log = options.log;
    this.#forwardsSingleNames = options.forwardsSingleNames;
    this.#egress = options.egress;
    const { udp, tcp } = withNetworkNamespace(options.namespacePath, openSockets);
    this.#namespaceFd = openNamespace(options.namespacePath);
    this.#udp = this.#serveUdp(udp);
    this.#tcp = this.#serveTcp(tcp);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#namespaceFd);
    this.#udp.close();
    this.#tcp.close();
    for (const connection of this.#connections) connection.destroy();
  }

  #serveUdp(fd: number): dgram.Socket {
    const socket = dgram.createSocket('udp4');
    socket.on('error', error =>
      this.#log.warn({ error: error.message, containerId: this.#containerId }, 'embedded DNS'),
    );
    socket.on('message', (message, from) => {
      this.#answer(message, 'udp').then(
        answer => answer !== undefined && this.#sendDatagram(socket, answer, from),
        error => this.#log.warn({ error: messageOf(error), containerId: this.#containerId }, 'embedded DNS'),
      );
    });
    socket.bind({ fd });
    return socket.unref();
  }

  #sendDatagram(socket: dgram.Socket, answer: Buffer, to: dgram.RemoteInfo): void {
    try {
      socket.send(answer, to.port, to.address);
    } catch {
      // The container ended while its question was on the way: the socket is closed and nobody waits.
    }
  }

  #serveTcp(fd: number): net.Server {
    const server = net.createServer({ noDelay: true }, connection => {
      this.#connections.add(connection);
      connection.once('close', () => this.#connections.delete(connection));
      connection.on('error', () => connection.destroy());
      connection.setTimeout(tcpIdleMs, () => connection.destroy());
      this.#readQueries(connection).catch(() => connection.destroy());
    });
    server.on('error', error =>
      this.#log.warn({ error: error.message, containerId: this.#containerId }, 'embedded DNS'),
    );
    server.maxConnections = mostConnections;
    server.listen({ fd });
    return server.unref();
  }

  async #readQueries(connection: net.Socket): Promise<void> {
    let received = Buffer.alloc(0);
    for await (const chunk of connection) {
      received = Buffer.concat([received, chunk as Buffer]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        const answer = await this.#answer(received.subarray(2, end), 'tcp');
        if (answer !== undefined) connection.write(withLength(answer));
        received = received.subarray(end);
      }
    }
  }

  async #answer(message: Buffer, protocol: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const parsed = parseQuery(message);
    if (parsed.kind === 'ignore') return undefined;
    if (parsed.kind === 'refuse') return parsed.answer;
    const { query } = parsed;
    const encode = protocol === 'udp' ? encodeDatagram : encodeAnswer;
    const answers = answerLocally(this.#source, this.#containerId, query);
    if (answers !== undefined) return encode(query, answers);
    if (!this.#forwardsSingleNames && isSingleName(query)) return encode(query, []);
    const { name } = query.question;
    switch (this.#egress.judge(this.#containerId, name)) {
      case 'refused':
        return encode(query, [], rcodes.refused);
      case 'listed': {
        const answer = await this.#forward(message, protocol, query, { trusted: true });
        if (answer !== undefined) this.#egress.learn(this.#containerId, name, answer);
        return answer ?? encode(query, [], rcodes.serverFailure);
      }
      case 'unlimited':
    }
    return (await this.#forward(message, protocol, query)) ?? encode(query, [], rcodes.serverFailure);
  }

  /** @param options.trusted only by the host's way: the container cannot have made the answer itself. */
  async #forward(
    message: Buffer,
    protocol: 'udp' | 'tcp',
    query: Query,
    { trusted = false } = {},
  ): Promise<Buffer | undefined> {
    if (this.#forwarding >= mostForwarding) return undefined;
    const upstreams = this.#upstreams();
    const servers = trusted && upstreams.inside ? upstreams.servers.filter(isNoLoopback) : upstreams.servers;
    const inside = upstreams.inside && !trusted;
    // From inside nothing can be asked that the container could not ask itself.
    if (!inside && !mayForward(this.#source, this.#containerId)) return undefined;
    this.#forwarding++;
    try {
      return await forward(message, protocol, servers, inside ? this.#openInside : openUnboundSocket);
    } catch (error) {
      if (!this.#closed)
        this.#log.warn({ error: messageOf(error), name: query.question.name }, 'forwarding a DNS question');
      return undefined;
    } finally {
      this.#forwarding--;
    }
  }

  readonly #openInside: OpenSocket = (protocol, family) => {
    if (this.#closed) throw new EngineError('unavailable', 'the container has ended');
    return withNetworkNamespace(`/proc/self/fd/${this.#namespaceFd}`, () =>
      openUnboundSocket(protocol, family),
    );
  };
}

/** Whether resolv.conf options say that single names are to be tried with search domains first. */
export function asksForDots(own: readonly string[], daemon: readonly string[] = []): boolean {
  const options = own.length > 0 ? own : daemon;
  return options.some(option => Number(/^ndots:(\d+)$/.exec(option)?.[1] ?? 0) > 0);
}

function isNoLoopback(server: string): boolean {
  const address = parseIp(server);
  return address !== undefined && !isLoopback(address);
}

function isSingleName({ question }: Query): boolean {
  return (
    (question.type === 'A' || question.type === 'AAAA') && !question.name.replace(/\.$/, '').includes('.')
  );
}

/** As Docker's limit per container (libnetwork/resolver.go, maxConcurrent). */
const mostForwarding = 1024;
/** So that one container cannot use up the daemon's file descriptors. */
const mostConnections = 256;
const tcpIdleMs = 10_000;

/** Runs inside of the container's namespace. */
function openSockets(): { udp: number; tcp: number } {
  const address = parseIp(embeddedServer)!;
  const opened: number[] = [];
  try {
    const udp = openInetSocket({ protocol: 'udp', address, port: 0 });
    opened.push(udp);
    const tcp = openInetSocket({ protocol: 'tcp', address, port: 0 });
    opened.push(tcp);
    redirectPort53(localPort(udp), localPort(tcp));
    return { udp, tcp };
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  }
}

function redirectPort53(udpPort: number, tcpPort: number): void {
  const nft = new Nftables();
  try {
    const table = planRedirect(udpPort, tcpPort);
    try {
      nft.run(`create table ip ${redirectTable}\n${table}`);
    } catch {
      // An earlier daemon was here. Replacing is for this case only: the kernel frees a deleted table before it lets
      // go of the socket, some 8 ms.
      nft.run(`delete table ip ${redirectTable}\n${table}`);
    }
  } finally {
    nft.close();
  }
}

const redirectTable = 'gantry_dns';

/** The rules inside of the namespace. */
function planRedirect(udpPort: number, tcpPort: number): string {
  return `table ip ${redirectTable} {
	chain output {
		type nat hook output priority -100; policy accept;
		ip daddr ${embeddedServer} udp dport 53 dnat to ${embeddedServer}:${udpPort}
		ip daddr ${embeddedServer} tcp dport 53 dnat to ${embeddedServer}:${tcpPort}
	}
}
`;
}
