import { lookup as dnsLookup } from 'node:dns';
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { type AgentOptions, Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction, type OnReadOpts, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { getCACertificates } from 'node:tls';
import { EngineError } from '../stdx/errors.ts';
import { isLinkLocal, withoutBrackets } from './addresses.ts';
import { type RegistryCertificates, withoutIdentities } from './certificates.ts';
import { connectionError } from './connection-errors.ts';
import { noProxies, type Proxies, proxyFor } from './proxies.ts';

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: URL;
  headers?: Record<string, string>;
  /**
   * A stream is sent once; it needs content-length among the headers or goes out chunked. A generator's chunk is out
   * of use when the next is asked for, or the generator is ended.
   */
  body?: Buffer | Readable | AsyncGenerator<Buffer>;
  signal: AbortSignal;
  /** Accept any certificate: insecure registries and loopback. */
  skipTlsVerify?: boolean;
  /** What counts besides the system's certificates, where they are checked. */
  certificates?: RegistryCertificates;
  /** The address comes from somebody else (a realm, a redirect) and must not lead to link-local addresses. */
  foreign?: boolean;
}

export interface HttpResponse {
  status: number;
  statusText: string;
  headers: IncomingHttpHeaders;
  /** A header sent several times, value by value. */
  headersDistinct: NodeJS.Dict<string[]>;
  /** To be read to its end or destroyed; otherwise its connection is lost to the pool. */
  body: IncomingMessage;
  url: URL;
}

export interface TransportOptions {
  userAgent: string;
  connectTimeoutMs?: number;
  /** Longest silence on an open connection. */
  idleTimeoutMs?: number;
  proxies?: Proxies;
}

const maxRedirects = 10;

/** HTTP to registries: pooled connections, time limits, errors in the words of Go's net/http. */
export class Transport {
  readonly #userAgent: string;
  readonly #connectTimeoutMs: number;
  readonly #idleTimeoutMs: number;
  readonly #proxies: Proxies;
  /** Pools of connections, by what the connections in them have in common. */
  readonly #agents = new Map<string, HttpAgent>();
  #systemAuthorities: string[] | undefined;

  constructor(options: TransportOptions) {
    this.#userAgent = options.userAgent;
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 15_000;
    this.#idleTimeoutMs = options.idleTimeoutMs ?? 60_000;
    this.#proxies = options.proxies ?? noProxies;
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }

  /**
   * Sends a request and follows redirects of GET and HEAD. Credentials go to the first host alone.
   * @throws EngineError `unavailable` when nobody answers, `cancelled`.
   */
  async fetch(request: HttpRequest): Promise<HttpResponse> {
    let current = request;
    for (let redirects = 0; redirects <= maxRedirects; redirects++) {
      const response = await this.send(current);
      const location = redirectOf(current, response);
      if (location === undefined) return response;
      response.body.resume();
      current = redirected(current, location);
    }
    throw new EngineError('unavailable', `${inGo(request)}: stopped after ${maxRedirects} redirects`);
  }

  /** One request, one answer; redirects are answers. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    try {
      request.signal.throwIfAborted();
      if (request.foreign === true) refuseLinkLocal(withoutBrackets(request.url.hostname));
      return await this.#exchange(request);
    } catch (error) {
      if (request.signal.aborted) throw new EngineError('cancelled', 'context canceled', { cause: error });
      throw connectionError(inGo(request), request.url, error);
    }
  }

  async #exchange(request: HttpRequest): Promise<HttpResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { url } = request;
    const secure = url.protocol === 'https:';
    const outgoing = (secure ? httpsRequest : httpRequest)({
      method: request.method,
      protocol: url.protocol,
      hostname: withoutBrackets(url.hostname),
      port: url.port === '' ? undefined : Number(url.port),
      path: url.pathname + url.search,
      headers: { 'user-agent': this.#userAgent, ...request.headers },
      agent: this.#agentFor(request),
      signal: request.signal,
      ...(request.foreign === true ? { lookup: lookupOutside } : {}),
    });
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
    this.#limitTime(outgoing);
    if (request.body === undefined || Buffer.isBuffer(request.body)) outgoing.end(request.body);
    // An answer may come before the body is sent (401, 413); then the answer counts, not the broken pipe.
    else if (request.body instanceof Readable) pipeline(request.body, outgoing).catch(reject);
    else sendAll(request.body, outgoing).catch(reject);
    const body = await promise;
    // A cut connection must end in an error of whoever reads the body, and in nothing else when nobody does.
    body.on('error', () => {});
    return {
      status: body.statusCode!,
      statusText: body.statusMessage ?? '',
      headers: body.headers,
      headersDistinct: body.headersDistinct,
      body,
      url,
    };
  }

  #limitTime(outgoing: ReturnType<typeof httpRequest>): void {
    outgoing.on('socket', socket => {
      if (socket.connecting) {
        const timer = setTimeout(() => {
          outgoing.destroy(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' }));
        }, this.#connectTimeoutMs);
        socket.once('connect', () => clearTimeout(timer));
        socket.once('close', () => clearTimeout(timer));
      }
    });
    outgoing.setTimeout(this.#idleTimeoutMs, () => {
      outgoing.destroy(Object.assign(new Error('i/o timeout'), { code: 'ESILENT' }));
    });
  }

  #agentFor({ url, skipTlsVerify = false, certificates }: HttpRequest): HttpAgent {
    const secure = url.protocol === 'https:';
    const proxy = proxyFor(url, this.#proxies);
    const checks = secure && !skipTlsVerify;
    const key = JSON.stringify([secure, proxy, checks, checks ? certificates : undefined]);
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      const options = {
        ...poolOptions,
        // That this proxy is the one for this address is decided; the agent has nothing to except.
        ...(proxy === undefined ? { onread } : { proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } }),
      };
      if (!secure) agent = new HttpAgent(options);
      else if (!checks) agent = new HttpsAgent({ ...options, rejectUnauthorized: false });
      else agent = new HttpsAgent({ ...options, ...this.#trust(certificates) });
      this.#agents.set(key, agent);
    }
    return agent;
  }

  #trust(certificates: RegistryCertificates | undefined): AgentOptions {
    // Node trusts its own list of authorities; a host's administrator adds to the system's.
    this.#systemAuthorities ??= [
      ...new Set([...getCACertificates('default'), ...getCACertificates('system')]),
    ];
    const { authorities = [], identities = [] } = certificates ?? {};
    return {
      ca: [...this.#systemAuthorities, ...authorities],
      cert: identities.map(({ certificate }) => certificate),
      key: identities.map(({ key }) => key),
    };
  }
}

/** One chunk after the other, each until the kernel has all of it: large ones, of memory that is used again. */
async function sendAll(body: AsyncGenerator<Buffer>, outgoing: ClientRequest): Promise<void> {
  for await (const chunk of body) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    outgoing.once('close', resolve);
    outgoing.write(chunk, error => (error ? reject(error) : resolve()));
    await promise;
    outgoing.off('close', resolve);
    if (outgoing.destroyed) return;
  }
  outgoing.end();
}

/** What is read of any connection comes here, and is copied but for takeBody: fresh memory would be 64 kB for every read. */
const memory = Buffer.allocUnsafeSlow(256 * 1024);
/** Whose bodies takeBody reads now. */
const taken = new WeakMap<Socket, BodyReader>();

const onread: OnReadOpts = {
  buffer: memory,
  callback(this: Socket, length) {
    const bytes = memory.subarray(0, length);
    const reader = taken.get(this);
    if (reader === undefined || !isPassing(this) || !isPassing(reader.body))
      return this.push(Buffer.from(bytes));
    return reader.takeRaw(bytes) || this.push(bytes);
  },
};

const poolOptions = { keepAlive: true, maxSockets: 16, maxFreeSockets: 8, timeout: 30_000 };

/** What comes goes on at once, and is not kept. */
function isPassing(stream: Readable): boolean {
  return stream.readableFlowing === true && stream.readableLength === 0;
}

/**
 * Reads a body, all of it through the same memory.
 * @param take is done with a piece when it returns; what else comes of the connection waits for its promise.
 */
export async function takeBody(
  body: IncomingMessage,
  take: (piece: Buffer) => Promise<void> | undefined,
): Promise<void> {
  // It says so once, and may have done that before anybody listened.
  if (body.destroyed) throw body.errored ?? new Error('the connection was closed');
  const { socket } = body;
  const reader = new BodyReader(body, take);
  taken.set(socket, reader);
  try {
    await reader.ended;
  } finally {
    taken.delete(socket);
  }
}

/**
 * Takes a body as it comes. Node's HTTP parser copies each piece of one into fresh memory, which keeps the collector of
 * garbage busy: a long one, whose length is known, goes past the parser. The connection cannot be used again then.
 */
class BodyReader {
  readonly body: IncomingMessage;
  readonly ended: Promise<void>;
  readonly #take: (piece: Buffer) => Promise<void> | undefined;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  readonly #long: boolean;
  /** Bytes of a long one that are still to come. */
  #left: number;

  constructor(body: IncomingMessage, take: (piece: Buffer) => Promise<void> | undefined) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.body = body;
    this.ended = promise;
    this.#take = take;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#left = lengthOf(body) ?? 0;
    this.#long = this.#left >= longBodyBytes;
    body.on('data', (piece: Buffer) => (this.#long ? this.#receiveLong(piece) : this.#receive(piece)));
    body.on('end', resolve).on('error', reject);
    body.on('close', () => reject(new Error('the connection was closed')));
  }

  /** What comes of the connection, once all that came before has been taken. @returns false: it is the parser's. */
  takeRaw(bytes: Buffer): boolean {
    if (this.#long) this.#receiveLong(bytes);
    return this.#long;
  }

  /** Some may have come through the parser, which knows nothing of the rest, and so of no end. */
  #receiveLong(bytes: Buffer): void {
    // Nobody asked for more than that.
    const piece = bytes.subarray(0, this.#left);
    this.#left -= piece.length;
    this.#receive(piece);
    if (this.#left > 0) return;
    this.#resolve();
    this.body.destroy();
  }

  #receive(piece: Buffer): void {
    try {
      const busy = this.#take(piece);
      if (busy === undefined) return;
      // Not the body: what else is in this read has to be taken as well.
      const { socket } = this.body;
      socket.pause();
      busy.then(
        () => socket.resume(),
        error => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    this.#reject(error);
    this.body.destroy(error);
  }
}

/** undefined: nobody knows. */
function lengthOf({ headers }: IncomingMessage): number | undefined {
  const length = headers['content-length'];
  return length === undefined || headers['transfer-encoding'] !== undefined ? undefined : Number(length);
}

/** To connect anew costs less. */
const longBodyBytes = 16 << 20;

/** Reads a body that is small by nature. @throws EngineError `unavailable` when it is longer than `limitBytes`. */
export async function readBody(response: HttpResponse, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limitBytes) {
        throw new EngineError('unavailable', `${response.url.origin} sent more than ${limitBytes} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    throw connectionError('reading response', response.url, error);
  }
  return Buffer.concat(chunks);
}

function redirectOf(request: HttpRequest, response: HttpResponse): URL | undefined {
  const { location } = response.headers;
  if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return undefined;
  if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
  if (!URL.canParse(location, request.url)) {
    throw new EngineError('unavailable', `${inGo(request)}: failed to parse Location header "${location}"`);
  }
  return new URL(location, request.url);
}

function redirected(request: HttpRequest, url: URL): HttpRequest {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new EngineError(
      'unavailable',
      `${inGo(request)}: unsupported protocol scheme "${url.protocol.slice(0, -1)}"`,
    );
  }
  if (request.url.protocol === 'https:' && url.protocol === 'http:' && request.skipTlsVerify !== true) {
    throw new EngineError('unavailable', `${inGo(request)}: refusing a redirect from https to ${url.origin}`);
  }
  if (url.origin === request.url.origin) return { ...request, url };
  const { authorization: _, ...headers } = request.headers ?? {};
  const certificates = withoutIdentities(request.certificates);
  return { ...request, url, headers, certificates, foreign: true };
}

/** As Go's url.Error begins: `Get "http://127.0.0.1:1/v2/"`. */
function inGo(request: HttpRequest): string {
  return `${request.method[0]}${request.method.slice(1).toLowerCase()} "${request.url}"`;
}

function refuseLinkLocal(address: string): void {
  if (isIP(address) !== 0 && isLinkLocal(address)) {
    throw new EngineError('unavailable', `refusing to connect to link-local address ${address}`);
  }
}

/** Name look-up for addresses given by others: what a name resolves to is checked where it is used. */
const lookupOutside: LookupFunction = (hostname, options, callback) => {
  dnsLookup(hostname, options, (error, address, family) => {
    if (error !== null) return callback(error, address, family);
    try {
      for (const entry of typeof address === 'string' ? [{ address }] : address)
        refuseLinkLocal(entry.address);
    } catch (refusal) {
      return callback(refusal as NodeJS.ErrnoException, '', 0);
    }
    callback(null, address, family);
  });
};
