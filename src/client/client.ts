import type { Socket } from 'node:net';
import type { ErrorResponse } from '../api/errors.ts';
import { compareVersions, newestApiVersion } from '../api/paths.ts';
import { EngineError } from '../stdx/errors.ts';
import { ApiError } from './api-error.ts';
import type { Endpoint } from './endpoint.ts';
import { type ChunkSink, HttpConnection, type HttpResponse, type RequestBody } from './http-connection.ts';
import { parseJson } from './json.ts';

export interface ClientOptions {
  endpoint: Endpoint;
  /** Use exactly this version; no negotiation. */
  apiVersion?: string;
  /** Sent with every request (`HttpHeaders` of config.json). */
  headers?: Record<string, string>;
  /** Nothing is asked that changes anything. */
  readOnly?: boolean;
  /** Hears of every request, once its answer begins; the path is without the query. */
  onAnswer?: (method: string, path: string, status: number) => void;
}

export type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface CallOptions {
  query?: Record<string, QueryValue>;
  /** A list is one header for each. */
  headers?: Record<string, string | readonly string[]>;
  /** Sent as JSON; a function is given the version that is asked in. */
  json?: unknown;
  /** Sent as it is. */
  body?: RequestBody;
  contentType?: string;
  signal?: AbortSignal;
  /** Ask for the raw connection, to go on in that protocol. */
  upgrade?: string;
}

/** The line to one daemon. The first call finds out which version both know; idle connections are used again. */
export class Client {
  readonly endpoint: Endpoint;
  readonly #options: ClientOptions;
  #version: Promise<string> | undefined;
  #pinged: Promise<Record<string, string>> | undefined;
  #idle: HttpConnection[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
    this.endpoint = options.endpoint;
    if (options.apiVersion !== undefined) this.#version = Promise.resolve(options.apiVersion);
  }

  /** The version requests are made in: the daemon's or ours, whichever is older. */
  version(): Promise<string> {
    this.#version ??= this.ping().then(olderVersion);
    return this.#version;
  }

  /** What the daemon says of itself in headers. */
  ping(): Promise<Record<string, string>> {
    this.#pinged ??= this.#ping();
    return this.#pinged;
  }

  /** Whether it is gantryd, by what it says of itself. */
  async isGantryd(): Promise<boolean> {
    const { server = '' } = await this.ping();
    return server.startsWith('Gantry/');
  }

  /** @throws ApiError for any status from 400 on; unavailable when nobody answers */
  async call(method: string, path: string, options: CallOptions = {}): Promise<HttpResponse> {
    if (this.#options.readOnly && !onlyReads(method, path))
      throw new EngineError('notImplemented', `${method} ${path} is not asked in dry-run mode`);
    const isRepeatable = options.body === undefined && options.upgrade === undefined;
    const response =
      this.#version === undefined && isRepeatable
        ? await this.#askFirst(method, path, options)
        : await this.#askIn(await this.version(), method, path, options);
    if (response.status >= 400) throw await errorOf(response);
    return response;
  }

  async json<T>(method: string, path: string, options?: CallOptions): Promise<T> {
    return parseJson(await this.text(method, path, options)) as T;
  }

  async text(method: string, path: string, options?: CallOptions): Promise<string> {
    return readText(await this.call(method, path, options));
  }

  /** For answers without a body. @returns the status: 304 means it was so already */
  async act(method: string, path: string, options?: CallOptions): Promise<number> {
    const response = await this.call(method, path, options);
    await response.consume(() => {});
    return response.status;
  }

  async stream(method: string, path: string, sink: ChunkSink, options?: CallOptions): Promise<void> {
    await (await this.call(method, path, options)).consume(sink);
  }

  /** Calls back with every object of a stream of JSON lines. */
  async jsonLines<T>(
    method: string,
    path: string,
    onMessage: (message: T) => void,
    options?: CallOptions,
  ): Promise<void> {
    const lines = new LineSplitter(line => onMessage(parseJson(line) as T));
    await this.stream(method, path, chunk => lines.push(chunk), options);
    lines.end();
  }

  /**
   * Takes the connection over: attach and exec, or BuildKit with `upgrade`. Bytes that came with the head are in
   * `received`.
   */
  async hijack(
    method: string,
    path: string,
    options: CallOptions = {},
  ): Promise<{ socket: Socket; received: Buffer; contentType: string }> {
    const response = await this.call(method, path, { upgrade: 'tcp', ...options });
    return { ...response.hijack(), contentType: response.headers['content-type'] ?? '' };
  }

  close(): void {
    for (const connection of this.#idle) connection.close();
    this.#idle = [];
  }

  async #ping(): Promise<Record<string, string>> {
    const response = await this.#request('HEAD', '/_ping', {});
    await response.consume(() => {});
    return response.headers;
  }

  /**
   * Before a version is agreed on, ours is used: most daemons know it, which spares a short command one way there and
   * back. One that does not know it refuses before it does anything. Every answer says what the daemon knows.
   */
  async #askFirst(method: string, path: string, options: CallOptions): Promise<HttpResponse> {
    const response = await this.#askIn(newestApiVersion, method, path, options);
    if ('api-version' in response.headers) this.#version ??= Promise.resolve(olderVersion(response.headers));
    if (response.status !== 400) return response;
    const version = await this.version();
    if (version === newestApiVersion) return response;
    await response.consume(() => {});
    return this.#askIn(version, method, path, options);
  }

  #askIn(version: string, method: string, path: string, options: CallOptions): Promise<HttpResponse> {
    const json = typeof options.json === 'function' ? options.json(version) : options.json;
    return this.#request(method, `/v${version}${path}`, { ...options, json });
  }

  async #request(method: string, path: string, options: CallOptions): Promise<HttpResponse> {
    const headers: CallOptions['headers'] = { ...this.#options.headers, ...options.headers };
    let body = options.body;
    if (options.json !== undefined) {
      body = JSON.stringify(options.json);
      headers['Content-Type'] = 'application/json';
    } else if (body !== undefined) {
      headers['Content-Type'] = options.contentType ?? 'application/x-tar';
    }
    const { upgrade, signal } = options;
    const connection = this.#takeIdle() ?? (await HttpConnection.open(this.endpoint));
    const target = path + encodeQuery(options.query ?? {});
    const response = await connection.request({ method, target, headers, body, upgrade, signal });
    this.#options.onAnswer?.(method, path, response.status);
    const consume = response.consume;
    response.consume = async sink => {
      await consume(sink);
      if (connection.reusable) this.#idle.push(connection);
    };
    return response;
  }

  #takeIdle(): HttpConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.reusable) return connection;
    }
  }
}

/** Of the daemon that answered and us; daemons before 1.25 do not say. */
function olderVersion({ 'api-version': theirs = '1.24' }: Record<string, string>): string {
  return compareVersions(theirs, newestApiVersion) < 0 ? theirs : newestApiVersion;
}

export async function readText(response: HttpResponse): Promise<string> {
  const chunks: Buffer[] = [];
  await response.consume(chunk => {
    chunks.push(chunk);
  });
  return Buffer.concat(chunks).toString();
}

/** `undefined`, false and '' are left out, as Docker's client does. */
export function encodeQuery(query: Record<string, QueryValue>): string {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === false || value === '') continue;
    const values = Array.isArray(value) ? value : [value === true ? '1' : String(value)];
    for (const one of values) pairs.push(`${name}=${encodeURIComponent(one)}`);
  }
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** Cuts a byte stream into lines; a line may end in CR LF, empty ones are skipped. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #pending: Buffer[] = [];

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const newline = chunk.indexOf(0x0a, start);
      if (newline === -1) break;
      this.#pending.push(chunk.subarray(start, newline));
      start = newline + 1;
      this.end();
    }
    if (start < chunk.length) this.#pending.push(chunk.subarray(start));
  }

  end(): void {
    const line = Buffer.concat(this.#pending).toString().trimEnd();
    this.#pending = [];
    if (line !== '') this.#onLine(line);
  }
}

async function errorOf(response: HttpResponse): Promise<EngineError> {
  const text = (await readText(response)).trim();
  if (response.headers['content-type']?.includes('json') && text !== '') {
    const parsed = parseJson(text) as Partial<ErrorResponse>;
    if (typeof parsed.message === 'string') return new ApiError(response.status, parsed.message.trim());
  }
  const fallback = `request returned ${response.status} ${response.reason}`;
  return new ApiError(response.status, text === '' ? fallback : text);
}

/** Waiting is a POST that changes nothing. */
function onlyReads(method: string, path: string): boolean {
  return method === 'GET' || method === 'HEAD' || /^\/containers\/[^/]+\/wait$/.test(path);
}
