import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { newestApiVersion } from '../api/paths.ts';
import { EngineError, errnoOf, kindOf } from '../stdx/errors.ts';
import { Call, type Services } from './call.ts';
import { earlyDataEvent } from './hijack.ts';
import { bareMessageOf } from './progress-stream.ts';
import { Query } from './query.ts';
import { Router } from './router.ts';
import { allRoutes } from './routes.ts';
import { statusOf } from './status.ts';
import { gantryVersion, negotiate } from './versions.ts';

/** How long an answered request may go on sending what nobody reads. */
const drainMs = 1000;

export interface TlsOptions extends SecureContextOptions {
  requestCert: boolean;
  rejectUnauthorized: boolean;
}

/**
 * The Engine API over HTTP. A request takes this way: version out of the path, route, handler; what the handler
 * throws becomes a status and `{"message": ...}`. One ApiServer serves any number of listening sockets.
 */
export class ApiServer {
  readonly #services: Services;
  readonly #router: Router;
  /** Requests that change something and have not been answered. */
  #working = 0;
  #onIdle: (() => void)[] = [];
  /** Connections that builds go by; they are no longer the HTTP server's to close. */
  readonly #building = new Set<Duplex>();

  constructor(services: Services) {
    this.#services = services;
    this.#router = new Router(allRoutes);
  }

  /** Settles when no request is at work; those that only watch (logs, attach, wait, events) do not count. */
  idle(): Promise<void> {
    return this.#working === 0 ? Promise.resolve() : new Promise(resolve => this.#onIdle.push(resolve));
  }

  /** Cuts the connections of BuildKit's clients: their builds end with them. */
  endBuilds(): void {
    for (const connection of this.#building) connection.destroy();
  }

  /** A server for one listening socket. With `tls`, node:https is loaded. */
  async createServer(tls?: TlsOptions): Promise<Server> {
    const timeouts = {
      // Uploads (build contexts, images) and waits take as long as they take.
      requestTimeout: 0,
      // As Go's servers: the arguments of a build are in its query.
      maxHeaderSize: 1 << 20,
      keepAliveTimeout: 60_000,
      noDelay: true,
    };
    const server =
      tls === undefined
        ? createServer(timeouts)
        : ((await import('node:https')).createServer({
            ...timeouts,
            ...tls,
            allowHalfOpen: true,
          }) as unknown as Server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void this.#answer(request, response, request.socket, undefined);
    });
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (/\/(grpc|session)(\?|$)/.test(request.url ?? '')) {
        this.#building.add(socket);
        socket.once('close', () => this.#building.delete(socket));
      }
      void this.#answer(request, responseOn(request, socket), socket, head);
    });
    server.on('clientError', answerClientError);
    return server;
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    connection: Duplex,
    upgradeHead: Buffer | undefined,
  ): Promise<void> {
    response.setHeader('Api-Version', newestApiVersion);
    response.setHeader('Docker-Experimental', 'false');
    response.setHeader('Ostype', 'linux');
    response.setHeader('Server', `Gantry/${gantryVersion} (linux)`);
    const works = isWork(request);
    if (works) this.#working++;
    try {
      const call = this.#callFor(request, response, connection, upgradeHead);
      await call.handler(call.call);
    } catch (error) {
      this.#fail(request, response, error);
    } finally {
      if (works && --this.#working === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    }
  }

  #callFor(
    request: IncomingMessage,
    response: ServerResponse,
    connection: Duplex,
    upgradeHead: Buffer | undefined,
  ) {
    const url = request.url ?? '/';
    const question = url.indexOf('?');
    const { version, path } = negotiate(question < 0 ? url : url.slice(0, question));
    const query = new Query(question < 0 ? '' : url.slice(question + 1));
    const found = this.#router.find(request.method ?? 'GET', path);
    // dockerd answers 404 for a wrong method, too.
    if (found === undefined) throw new EngineError('notFound', 'page not found');
    const { params } = found;
    const call = new Call({
      services: this.#services,
      request,
      response,
      query,
      version,
      params,
      connection,
      upgradeHead,
    });
    return { handler: found.handler, call };
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const status = statusOf(error);
    const { method, url } = request;
    const fields = { method, url, status, err: error };
    if (clientLeft(response, error)) this.#services.log.debug(fields, 'the client has gone');
    else if (status === 500) this.#services.log.error(fields, 'request failed');
    else if (kindOf(error) !== 'cancelled') this.#services.log.debug(fields, 'request refused');
    if (response.headersSent || response.destroyed) {
      // The status is out: only cutting the connection can tell the client that the answer is not whole.
      response.destroy();
      return;
    }
    if (status === 304) {
      response.writeHead(304).end();
      return;
    }
    const body = Buffer.from(`${JSON.stringify({ message: bareMessageOf(error) })}\n`);
    response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length });
    response.end(request.method === 'HEAD' ? undefined : body);
    // The rest of a body nobody wants would be read as the next request. Asked when the answer is out: a handler that
    // refuses at once runs before the parser has come to the end of a request without a body.
    response.once('finish', () => {
      if (!request.complete) drain(request);
    });
  }
}

/** Whether a stopping daemon should let it end: it changes something, and does not follow a container's own time. */
function isWork({ method = 'GET', url = '/' }: IncomingMessage): boolean {
  if (method === 'GET' || method === 'HEAD') return false;
  return !/\/(attach|wait|grpc|session|exec\/[^/?]+\/start)(\?|$)/.test(url);
}

/** It closed the connection in the middle of an answer. */
function clientLeft(response: ServerResponse, error: unknown): boolean {
  return response.destroyed && errnoOf(error) === 'ERR_STREAM_PREMATURE_CLOSE';
}

/**
 * Takes what the client still sends, for a while: a connection closed with bytes unread is reset, and a client that is
 * busy sending sees "broken pipe" instead of the answer.
 */
function drain(request: IncomingMessage): void {
  request.resume();
  const timer = setTimeout(() => request.destroy(), drainMs).unref();
  request.once('close', () => clearTimeout(timer));
}

/** node:http makes no response for an upgrade request; a handler that refuses it needs one. */
function responseOn(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as never);
  response.once('finish', () => {
    response.detachSocket(socket as never);
    socket.end();
  });
  socket.once('error', () => {
    // A reset by the client: 'close' follows, which ends the call.
  });
  return response;
}

function answerClientError(error: Error & { code?: string; rawPacket?: Buffer }, socket: Duplex): void {
  if (error.rawPacket !== undefined && socket.emit(earlyDataEvent, error.rawPacket)) return;
  // The parser complains of every further piece of what it refused.
  if (refused.has(socket)) return;
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  refused.add(socket);
  const status = clientErrorStatus[error.code ?? ''] ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n${status}`);
  // As drain(): who is still sending shall see the answer before the end of the connection.
  const timer = setTimeout(() => socket.destroy(), drainMs).unref();
  socket.once('close', () => clearTimeout(timer));
}

/** Connections that have their answer already. */
const refused = new WeakSet<Duplex>();

/** What the parser complains of, by Node's names; everything else is a bad request. */
const clientErrorStatus: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
