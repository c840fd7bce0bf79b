import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { closeSync, fstatSync, readSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import koffi from 'koffi';
import { pollDescriptor } from '../../src/linux/poll.ts';

/** How long a message may take on a busy machine before a test gives up. */
const patienceMs = 60_000;

/** What came, and a way to wait for it. */
export class Inbox {
  readonly received: Buffer[] = [];
  readonly #waiting = new Set<() => void>();

  add(message: Buffer): void {
    this.received.push(message);
    for (const check of this.#waiting) check();
  }

  get text(): string {
    return Buffer.concat(this.received).toString();
  }

  /** Settles when the condition holds; it is looked at whenever something comes. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`not what was waited for: ${this.text.slice(-2000)}`));
      }, patienceMs);
      const check = () => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  async untilText(text: string): Promise<void> {
    await this.until(() => this.text.includes(text));
  }
}

/** Listens on TCP, TLS or a unix socket; it can go away and come back at the same place. */
export class StreamReceiver extends Inbox {
  readonly #tls: { key: Buffer; cert: Buffer } | undefined;
  readonly #path: string | undefined;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  /** Of TCP and TLS; chosen at the first start. */
  port = 0;
  answer: ((chunk: Buffer) => Buffer | undefined) | undefined;

  constructor(options: { path?: string; tls?: { key: Buffer; cert: Buffer } } = {}) {
    super();
    this.#path = options.path;
    this.#tls = options.tls;
  }

  async start(): Promise<void> {
    const take = (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('data', (chunk: Buffer) => {
        const answer = this.answer?.(chunk);
        if (answer !== undefined) socket.write(answer);
        this.add(chunk);
      });
    };
    const server = this.#tls === undefined ? createServer(take) : createTlsServer(this.#tls, take);
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (this.#path !== undefined) server.listen(this.#path, resolve);
      else server.listen(this.port, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (typeof address === 'object' && address !== null) this.port = address.port;
  }

  /** Closes all connections, too. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    await new Promise<void>(resolve => {
      server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }
}

export class UdpReceiver extends Inbox {
  readonly #socket: UdpSocket = createSocket('udp4');
  port = 0;

  async start(): Promise<void> {
    this.#socket.on('message', message => this.add(message));
    await new Promise<void>(resolve => this.#socket.bind(0, '127.0.0.1', resolve));
    this.port = this.#socket.address().port;
  }

  async stop(): Promise<void> {
    await new Promise<void>(resolve => this.#socket.close(resolve));
  }
}

/** A datagram socket of the unix family, which Node does not have; takes memory files that are sent along. */
export class UnixDatagramReceiver extends Inbox {
  readonly #path: string;
  #stop: (() => void) | undefined;
  /** Messages that came as a memory file. */
  memories = 0;

  constructor(path: string) {
    super();
    this.#path = path;
  }

  start(): void {
    const libc = koffi.load('libc.so.6');
    const socket = libc.func('int socket(int family, int type, int protocol)');
    const bind = libc.func('int bind(int fd, const void *address, uint size)');
    const recvmsg = libc.func('long recvmsg(int fd, void *header, int flags)');
    const fd = socket(1, 2 | 0o4000 | 0o2000000, 0) as number;
    const address = Buffer.alloc(110);
    address.writeUInt16LE(1, 0);
    address.write(this.#path, 2);
    rmSync(this.#path, { force: true });
    if (bind(fd, address, address.length) !== 0) throw new Error(`binding ${this.#path}: ${koffi.errno()}`);
    const poller = pollDescriptor(fd, () => {
      for (let message = receive(fd, recvmsg); message !== undefined; message = receive(fd, recvmsg)) {
        if (message.isMemory) this.memories++;
        this.add(message.bytes);
      }
    });
    poller.watch({ readable: true });
    this.#stop = () => {
      poller.close();
      closeSync(fd);
      rmSync(this.#path, { force: true });
    };
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}

/** recvmsg(2); structures as in src/linux/datagram.ts. */
function receive(
  fd: number,
  recvmsg: (fd: number, header: Buffer, flags: number) => number | bigint,
): { bytes: Buffer; isMemory: boolean } | undefined {
  const bytes = Buffer.alloc(1 << 18);
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(koffi.address(bytes), 0);
  vector.writeBigUInt64LE(BigInt(bytes.length), 8);
  const control = Buffer.alloc(64);
  const header = Buffer.alloc(56);
  header.writeBigUInt64LE(koffi.address(vector), 16);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(koffi.address(control), 32);
  header.writeBigUInt64LE(BigInt(control.length), 40);
  const length = Number(recvmsg(fd, header, 0x40));
  if (length < 0) return undefined;
  if (header.readBigUInt64LE(40) === 0n) return { bytes: bytes.subarray(0, length), isMemory: false };
  const memory = control.readInt32LE(16);
  const content = Buffer.alloc(fstatSync(memory).size);
  readSync(memory, content, 0, content.length, 0);
  closeSync(memory);
  return { bytes: content, isMemory: true };
}

export interface HttpCall {
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** Answers what `answer` says, 200 and {} by default. */
export class HttpReceiver extends Inbox {
  readonly calls: HttpCall[] = [];
  answer: (call: HttpCall) => { status: number; body: object } = () => ({ status: 200, body: {} });
  readonly #server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => {
      const call = {
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      };
      const { status, body } = this.answer(call);
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
      this.calls.push(call);
      this.add(Buffer.from(call.body));
    });
  });

  async start(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}
