import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import { batchesOf, frameMessage } from './framing.ts';
import { http2Settings, takeChunk } from './http2.ts';
import { headersOf, type Metadata } from './metadata.ts';
import { decodeGrpcMessage, GrpcError, grpcCode } from './status.ts';

/** One call under way, from the side that made it. */
export interface GrpcExchange {
  /** Settles when the other side can take more. */
  send(message: Uint8Array): Promise<void>;
  /** No more messages are sent. */
  end(): void;
  /** What comes back. @throws GrpcError at its end when the call failed */
  readonly messages: AsyncGenerator<Buffer>;
  /** The same, those together that came together. Either is read, not both. */
  readonly batches: AsyncGenerator<Buffer[]>;
  /** Gives up; harmless when the call is over. */
  cancel(): void;
}

/** gRPC's calling side on a connection that nobody else uses. */
export class GrpcConnection {
  readonly #session: ClientHttp2Session;
  /** Aborted when the connection is gone. */
  readonly closed: AbortSignal;

  static async over(connection: Duplex): Promise<GrpcConnection> {
    const { connect } = await import('node:http2');
    const session = connect('http://localhost', {
      ...http2Settings,
      createConnection: () => connection as never,
    });
    return new GrpcConnection(session, connection);
  }

  private constructor(session: ClientHttp2Session, connection: Duplex) {
    this.#session = session;
    const closed = new AbortController();
    this.closed = closed.signal;
    session.once('connect', () => session.setLocalWindowSize(http2Settings.windowBytes));
    session.on('error', () => session.destroy());
    session.once('close', () => closed.abort());
    connection.once('close', () => session.destroy());
  }

  /** @param path `/moby.buildkit.v1.Control/Solve` */
  call(path: string, options: { metadata?: Metadata; signal?: AbortSignal } = {}): GrpcExchange {
    const { metadata = new Map(), signal } = options;
    if (this.#session.destroyed || this.#session.closed) throw connectionClosed();
    const stream = this.#session.request({
      ...headersOf(metadata),
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const cancel = () => {
      if (!stream.closed) stream.close(0x8);
    };
    signal?.addEventListener('abort', cancel, { once: true });
    stream.once('close', () => signal?.removeEventListener('abort', cancel));
    if (signal?.aborted === true) cancel();
    const outcome = outcomeOf(stream);
    // Whoever gives up early never asks for it.
    outcome.catch(() => {});
    const batches = answersOf(stream, outcome);
    return {
      send: message => takeChunk(stream, frameMessage(message)),
      end: () => stream.end(),
      messages: oneByOne(batches),
      batches,
      cancel,
    };
  }

  /** A call with one message each way. */
  async unary(
    path: string,
    message: Uint8Array,
    options: { metadata?: Metadata; signal?: AbortSignal } = {},
  ): Promise<Buffer> {
    const exchange = this.call(path, options);
    // A refusal may come before all was sent: the status says more than the failed write.
    await exchange.send(message).catch(() => {});
    exchange.end();
    let answer: Buffer | undefined;
    for await (const one of exchange.messages) answer ??= one;
    if (answer === undefined)
      throw new GrpcError(grpcCode.internal, 'the call was answered without a message');
    return answer;
  }

  close(): void {
    this.#session.destroy();
  }
}

async function* oneByOne(batches: AsyncGenerator<Buffer[]>): AsyncGenerator<Buffer> {
  for await (const batch of batches) yield* batch;
}

async function* answersOf(stream: ClientHttp2Stream, outcome: Promise<void>): AsyncGenerator<Buffer[]> {
  try {
    yield* batchesOf(stream);
  } catch (error) {
    if (error instanceof GrpcError) throw error;
    // The stream was cut: the outcome knows better why.
  }
  // Whoever has the answer's end has nothing more to say.
  if (!stream.writableEnded && !stream.destroyed) stream.end();
  await outcome;
}

/** Settles at the call's end. @throws GrpcError when it failed */
function outcomeOf(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    let status: IncomingHttpHeaders | undefined;
    let httpStatus: number | undefined;
    const keep = (headers: IncomingHttpHeaders) => {
      if (headers['grpc-status'] !== undefined) status = headers;
    };
    stream.once('response', headers => {
      httpStatus = headers[':status'];
      keep(headers);
    });
    stream.once('trailers', keep);
    // 'close' follows, and says what there is to say.
    stream.on('error', () => {});
    stream.once('close', () => {
      if (status !== undefined) {
        const error = errorOf(status);
        if (error === undefined) resolve();
        else reject(error);
      } else if (stream.rstCode === 0x8) reject(new GrpcError(grpcCode.cancelled, 'the call was cancelled'));
      else if (httpStatus !== undefined && httpStatus !== 200) {
        reject(new GrpcError(grpcCode.unknown, `unexpected HTTP status ${httpStatus}`));
      } else reject(connectionClosed());
    });
  });
}

function errorOf(headers: IncomingHttpHeaders): GrpcError | undefined {
  const code = Number(headers['grpc-status']);
  if (code === grpcCode.ok) return undefined;
  const details = headers['grpc-status-details-bin'];
  return new GrpcError(code, decodeGrpcMessage(String(headers['grpc-message'] ?? '')), {
    details: typeof details === 'string' ? Buffer.from(details, 'base64') : undefined,
  });
}

function connectionClosed(): GrpcError {
  return new GrpcError(grpcCode.unavailable, 'the connection was closed');
}
