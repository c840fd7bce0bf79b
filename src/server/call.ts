import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { compareVersions } from '../api/paths.ts';
import type { ClassicLine } from '../build/classic-output.ts';
import type { BuildOutput } from '../build/events.ts';
import type { Engine } from '../engine/engine.ts';
import { EngineError } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import type { BuildContexts } from './build-contexts.ts';
import { decodeJson, type Shape } from './go-json.ts';
import type { Query } from './query.ts';

/** No JSON body is larger: it is held in memory. Docker's largest are container configurations. */
const bodyLimitBytes = 16 * 1024 * 1024;

/** What every handler works with. */
export interface Services {
  engine: Engine;
  log: Log;
  contexts: BuildContexts;
  /** Makes the classic builder's text of a build's events: build/classic-output.ts, which the server does not import. */
  classicOutput: ClassicOutputMaker;
}

export type ClassicOutputMaker = (emit: (line: ClassicLine) => void) => BuildOutput & { flush(): void };

/** One request on its way to an answer. */
export class Call {
  readonly services: Services;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: Query;
  /** Of the API, as the path says: `1.41`. */
  readonly version: string;
  /** Values of the path's `{name}` parts, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Aborted when the client goes away before it has its answer. */
  readonly signal: AbortSignal;
  /** Set when the client asked to upgrade the connection: bytes that came with the request's head. */
  readonly upgradeHead: Buffer | undefined;
  /**
   * What carries the call. After an upgrade it may be a stream in front of the socket: Node puts one there when the
   * request's body came after its head (_http_server, UpgradeStream).
   */
  readonly connection: Duplex;

  constructor(parts: {
    services: Services;
    request: IncomingMessage;
    response: ServerResponse;
    query: Query;
    version: string;
    params: Record<string, string>;
    upgradeHead: Buffer | undefined;
    connection: Duplex;
  }) {
    this.services = parts.services;
    this.request = parts.request;
    this.response = parts.response;
    this.query = parts.query;
    this.version = parts.version;
    this.params = parts.params;
    this.upgradeHead = parts.upgradeHead;
    this.connection = parts.connection;
    const gone = new AbortController();
    this.signal = gone.signal;
    this.response.once('close', () => {
      if (!this.response.writableFinished) gone.abort();
    });
  }

  get engine(): Engine {
    return this.services.engine;
  }

  get socket(): Socket {
    return this.request.socket;
  }

  /** A part of the path. */
  param(name: string): string {
    return this.params[name] ?? '';
  }

  /** Whether the client speaks this version of the API or a newer one. */
  atLeast(version: string): boolean {
    return compareVersions(this.version, version) >= 0;
  }

  /** The answer, as one JSON value. Go ends JSON with a newline, and some clients wait for lines. */
  json(value: unknown, status = 200): void {
    const body = Buffer.from(`${JSON.stringify(value)}\n`);
    this.response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length });
    this.response.end(body);
  }

  /** An answer without a body. */
  empty(status: number): void {
    this.response.writeHead(status, status === 200 ? { 'Content-Length': 0 } : {});
    this.response.end();
  }

  /**
   * The request's JSON body; without one, an empty object.
   * @param structName Go's name of it in error messages
   * @throws EngineError `invalid`
   */
  async body<T>(shape: Shape<T>, structName: string, options: { required?: boolean } = {}): Promise<T> {
    this.#requireJson();
    const text = await this.#bodyText();
    if (text === '' && options.required !== true) return shape.read({}, '');
    return decodeJson(text, shape, structName);
  }

  /** moby's httputils.CheckForJSON: a body must say that it is JSON, no body need not. */
  #requireJson(): void {
    const { headers } = this.request;
    const type = headers['content-type'];
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
    if (type === undefined && !hasBody) return;
    const mime = (type ?? '').split(';')[0]!.trim().toLowerCase();
    if (mime === 'application/json') return;
    // The attach and exec clients of old sent `text/plain` with an empty body.
    if (!hasBody) return;
    if (mime === '') {
      throw new EngineError('invalid', 'malformed Content-Type header (): mime: no media type');
    }
    throw new EngineError('invalid', `unsupported Content-Type header (${type}): must be 'application/json'`);
  }

  async #bodyText(): Promise<string> {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of this.request as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > bodyLimitBytes) {
        throw new EngineError('invalid', `request body is larger than ${bodyLimitBytes} bytes`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }
}

export type Handler = (call: Call) => Promise<void> | void;

export interface Route {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** `/containers/{id}/json`; `{name...}` may hold slashes, as image names do. */
  path: string;
  handler: Handler;
}
