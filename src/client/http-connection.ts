import type { Socket } from 'node:net';
import { EngineError, messageOf } from '../stdx/errors.ts';
import { type Endpoint, openSocket } from './endpoint.ts';
import { BodyDecoder, framingOf, parseHead, type ResponseHead } from './http-parser.ts';

export type RequestBody = string | Uint8Array | AsyncIterable<Uint8Array>;

export interface HttpRequest {
  method: string;
  /** Path and query. */
  target: string;
  /** A list is one header for each. */
  headers?: Record<string, string | readonly string[]>;
  body?: RequestBody;
  /** Ask for the raw connection, to go on in that protocol: `tcp`, `h2c`. */
  upgrade?: string;
  /** Cuts the connection when aborted. */
  signal?: AbortSignal;
}

/** A chunk's taker. A returned promise holds the sender back until it settles. */
export type ChunkSink = (chunk: Buffer) => void | Promise<void>;

export interface HttpResponse extends ResponseHead {
  /** Delivers the body to its end. May be called once. @throws unavailable when it is cut */
  consume(sink: ChunkSink): Promise<void>;
  /** Leaves the rest unread and closes the connection. */
  cancel(): void;
  /** After `101` (or `200` with a stream type): the connection itself, and what came with the head. */
  hijack(): { socket: Socket; received: Buffer };
}

/**
 * HTTP/1.1 on one connection, one request at a time. Its own, not node:http, because loading that costs a short
 * command as much as everything else it does.
 */
export class HttpConnection {
  readonly #socket: Socket;
  #reusable = true;

  static async open(endpoint: Endpoint): Promise<HttpConnection> {
    return new HttpConnection(await openSocket(endpoint));
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.pause();
    // Errors reach the request under way by its own listener; without one here an idle reset would end the process.
    socket.on('error', () => {
      this.#reusable = false;
    });
    socket.once('close', () => {
      this.#reusable = false;
    });
  }

  /** May take another request once the last response was consumed. */
  get reusable(): boolean {
    return this.#reusable && !this.#socket.destroyed && !this.#socket.readableEnded;
  }

  close(): void {
    this.#reusable = false;
    this.#socket.destroy();
  }

  /** Sends a request; resolves when the response's head has come, which may be before the body was sent. */
  async request(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted();
    const abort = () => this.#socket.destroy(new EngineError('cancelled', 'context canceled'));
    request.signal?.addEventListener('abort', abort, { once: true });
    this.#reusable = false;
    const sending = this.#send(request);
    // A refused upload is answered before it was read: the answer counts, not the broken pipe of the sender.
    sending.catch(() => {});
    const { head, rest } = await this.#readHead(sending);
    return this.#response(request, head, rest, () => request.signal?.removeEventListener('abort', abort));
  }

  async #send({ method, target, headers, body, upgrade }: HttpRequest): Promise<void> {
    const lines = [`${method} ${target} HTTP/1.1`, 'Host: docker', 'User-Agent: gantry'];
    for (const [name, values] of Object.entries(headers ?? {})) {
      for (const value of typeof values === 'string' ? [values] : values) lines.push(`${name}: ${value}`);
    }
    if (upgrade !== undefined) lines.push('Connection: Upgrade', `Upgrade: ${upgrade}`);
    const whole =
      typeof body === 'string' ? Buffer.from(body) : body instanceof Uint8Array ? body : undefined;
    if (whole !== undefined) lines.push(`Content-Length: ${whole.length}`);
    else if (body !== undefined) lines.push('Transfer-Encoding: chunked');
    else if (method === 'POST' || method === 'PUT') lines.push('Content-Length: 0');
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    if (whole !== undefined) await this.#write(Buffer.concat([head, whole]));
    else await this.#write(head);
    if (whole === undefined && body !== undefined) await this.#sendChunked(body as AsyncIterable<Uint8Array>);
  }

  async #sendChunked(body: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of body) {
      if (chunk.length === 0) continue;
      this.#socket.cork();
      this.#socket.write(`${chunk.length.toString(16)}\r\n`);
      this.#socket.write(chunk);
      const written = this.#write('\r\n');
      this.#socket.uncork();
      await written;
    }
    await this.#write('0\r\n\r\n');
  }

  /** Waits for room, not for delivery. */
  #write(data: string | Uint8Array): Promise<void> {
    if (this.#socket.destroyed) {
      return Promise.reject(
        this.#socket.errored ?? new EngineError('unavailable', 'the connection was closed'),
      );
    }
    if (this.#socket.write(data)) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = () => {
      this.#socket.off('drain', settle).off('close', settle);
      if (this.#socket.destroyed) reject(new EngineError('unavailable', 'the connection was closed'));
      else resolve();
    };
    this.#socket.once('drain', settle).once('close', settle);
    return promise;
  }

  #readHead(sending: Promise<void>): Promise<{ head: ResponseHead; rest: Buffer }> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      let received: Buffer = Buffer.alloc(0);
      const stop = () => {
        socket.off('data', onData).off('end', onEnd).off('close', onEnd);
        socket.pause();
      };
      const fail = (error: unknown) => {
        stop();
        socket.destroy();
        reject(error);
      };
      const onEnd = () => fail(lostConnection(socket));
      const onData = (chunk: Buffer) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
        try {
          const parsed = parseHead(received);
          if (parsed === undefined) return;
          received = received.subarray(parsed.bodyStart);
          if (parsed.head.status >= 100 && parsed.head.status < 200 && parsed.head.status !== 101) return;
          stop();
          resolve({ head: parsed.head, rest: received });
        } catch (error) {
          fail(error);
        }
      };
      socket.on('data', onData).once('end', onEnd).once('close', onEnd);
      socket.resume();
      // The source of an upload failed (a file vanished): say so, the daemon sees a cut body.
      sending.catch(error => {
        if (!socket.destroyed) fail(error);
      });
    });
  }

  #response(request: HttpRequest, head: ResponseHead, rest: Buffer, settled: () => void): HttpResponse {
    const framing = framingOf(head, request.method);
    const mayStayOpen = framing.kind !== 'untilClose' && !/\bclose\b/i.test(head.headers.connection ?? '');
    return {
      ...head,
      consume: async sink => {
        try {
          await this.#consume(new BodyPump(this.#socket, framing, sink), rest);
          if (mayStayOpen) this.#reusable = true;
          else this.close();
        } finally {
          settled();
        }
      },
      cancel: () => {
        settled();
        this.close();
      },
      hijack: () => ({ socket: this.#socket, received: rest }),
    };
  }

  async #consume(pump: BodyPump, rest: Buffer): Promise<void> {
    try {
      await pump.run(rest);
    } catch (error) {
      this.close();
      throw error;
    }
  }
}

/** Moves one body from the socket to its taker, no faster than that takes it. */
class BodyPump {
  readonly #socket: Socket;
  readonly #decoder: BodyDecoder;
  #held: Promise<void> | undefined;

  constructor(socket: Socket, framing: ReturnType<typeof framingOf>, sink: ChunkSink) {
    this.#socket = socket;
    this.#decoder = new BodyDecoder(framing, chunk => {
      const taken = this.#held === undefined ? sink(chunk) : this.#held.then(() => sink(chunk));
      if (taken !== undefined) this.#held = taken;
    });
  }

  run(rest: Buffer): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const finish = (error?: unknown) => {
        socket.off('data', onData).off('end', onEnd).off('close', onEnd);
        socket.pause();
        if (error === undefined) (this.#held ?? Promise.resolve()).then(resolve, reject);
        else reject(error);
      };
      const onEnd = () => {
        try {
          this.#decoder.end();
          finish(socket.errored ?? undefined);
        } catch (error) {
          finish(socket.errored ?? error);
        }
      };
      const onData = (chunk: Buffer) => {
        try {
          this.#decoder.push(chunk);
        } catch (error) {
          finish(error);
          return;
        }
        if (this.#decoder.done) finish();
        else if (this.#held !== undefined) this.#holdBack(finish);
      };
      socket.on('data', onData).once('end', onEnd).once('close', onEnd);
      if (rest.length > 0) onData(rest);
      if (this.#decoder.done) finish();
      else if (socket.destroyed || socket.readableEnded) onEnd();
      else if (this.#held === undefined) socket.resume();
    });
  }

  #holdBack(finish: (error: unknown) => void): void {
    this.#socket.pause();
    this.#held?.then(() => {
      this.#held = undefined;
      this.#socket.resume();
    }, finish);
  }
}

function lostConnection(socket: Socket): EngineError {
  const cause = socket.errored;
  if (cause instanceof EngineError) return cause;
  const reason = cause === null ? 'EOF' : messageOf(cause);
  return new EngineError('unavailable', `error during connect: ${reason}`, { cause });
}
