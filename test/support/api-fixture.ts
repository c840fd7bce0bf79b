import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiServer } from '../../src/server/http.ts';
import { listen } from '../../src/server/listen.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { MemoryEngine } from './memory-engine.ts';

/** An ApiServer on a unix socket of its own, in front of an engine in memory. */
export class ApiFixture {
  readonly engine: MemoryEngine;
  readonly directory = mkdtempSync(join(tmpdir(), 'gantry-api-'));
  readonly path = join(this.directory, 'api.sock');
  readonly #server: Server;

  static async start(): Promise<ApiFixture> {
    const engine = new MemoryEngine();
    const missing = () => {
      throw new Error('this engine builds nothing');
    };
    const api = new ApiServer({
      engine: engine.engine,
      log: silentLog,
      contexts: { unpack: missing } as never,
      classicOutput: missing,
    });
    const fixture = new ApiFixture(engine, await api.createServer());
    await listen(fixture.#server, { kind: 'unix', path: fixture.path });
    return fixture;
  }

  private constructor(engine: MemoryEngine, server: Server) {
    this.engine = engine;
    this.#server = server;
  }

  async request(
    method: string,
    path: string,
    options: { body?: string; headers?: Record<string, string> } = {},
  ): Promise<{ status: number; headers: Record<string, string>; body: string; json(): Json }> {
    const { body = '', headers = {} } = options;
    const lines = Object.entries({ Host: 'api', Connection: 'close', ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    if (body !== '') lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
    const line = this.connect();
    line.send(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
    await line.ended;
    return parseAnswer(line.received);
  }

  connect(): Line {
    return new Line(connect({ path: this.path, allowHalfOpen: true }));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers without telling the compiler their shape
export type Json = any;

/** A connection seen as bytes. */
export class Line {
  readonly socket: Socket;
  readonly ended: Promise<void>;
  received: Buffer = Buffer.alloc(0);
  readonly #watchers = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', chunk => {
      this.received = Buffer.concat([this.received, chunk as Buffer]);
      for (const watcher of this.#watchers) watcher();
    });
    this.ended = new Promise(resolve => {
      socket.once('end', () => {
        socket.end();
        resolve();
      });
      socket.once('error', () => resolve());
      socket.once('close', () => resolve());
    });
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** Settles when this text has come. */
  async until(text: string | Buffer): Promise<void> {
    while (!this.received.includes(text)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#watchers.add(resolve);
      await Promise.race([promise, this.ended.then(() => this.#requireSeen(text))]);
      this.#watchers.delete(resolve);
    }
  }

  #requireSeen(text: string | Buffer): void {
    if (!this.received.includes(text)) throw new Error(`ended without ${text}: ${this.received}`);
  }

  /** Behind the head of the answer. */
  get body(): Buffer {
    return this.received.subarray(this.received.indexOf('\r\n\r\n') + 4);
  }
}

function parseAnswer(bytes: Buffer) {
  const end = bytes.indexOf('\r\n\r\n');
  const [status = '', ...lines] = bytes.subarray(0, end).toString().split('\r\n');
  const headers = Object.fromEntries(
    lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  const raw = bytes.subarray(end + 4);
  const body = headers['transfer-encoding'] === 'chunked' ? unchunk(raw) : raw.toString();
  return { status: Number(status.split(' ')[1]), headers, body, json: () => JSON.parse(body) };
}

function unchunk(bytes: Buffer): string {
  const parts: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', offset);
    const size = Number.parseInt(bytes.subarray(offset, lineEnd).toString(), 16);
    if (!(size > 0)) return Buffer.concat(parts).toString();
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    offset = lineEnd + 2 + size + 2;
  }
}
