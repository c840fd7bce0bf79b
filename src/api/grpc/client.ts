import type { Duplex } from 'node:stream';
import { Http2Connection } from '../http2/connection.ts';
import { http2Error } from '../http2/frames.ts';
import type { Http2Stream } from '../http2/stream.ts';
import { frameMessage, type MessageRun, messagesIn, runsOf } from './framing.ts';
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
  readonly runs: AsyncGenerator<MessageRun>;
  /** Gives up; harmless when the call is over. */
  cancel(): void;
}

/** gRPC's calling side on a connection that nobody else uses. */
export class GrpcConnection {
  readonly #connection: Http2Connection;

  static over(connection: Duplex): GrpcConnection {
    return new GrpcConnection(new Http2Connection(connection));
  }

  private constructor(connection: Http2Connection) {
    this.#connection = connection;
  }

  /** Aborted when the connection is gone. */
  get closed(): AbortSignal {
    return this.#connection.closed;
  }

  /** @param path `/moby.buildkit.v1.Control/Solve` */
  call(path: string, options: { metadata?: Metadata; signal?: AbortSignal } = {}): GrpcExchange {
    const { metadata = new Map(), signal } = options;
    if (this.closed.aborted) throw connectionClosed();
    const stream = this.#connection.request([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', path],
      [':authority', 'localhost'],
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
      ...headersOf(metadata),
    ]);
    const cancel = () => stream.reset(http2Error.cancel);
    signal?.addEventListener('abort', cancel, { once: true });
    void stream.closed.then(() => signal?.removeEventListener('abort', cancel));
    if (signal?.aborted === true) cancel();
    const runs = answersOf(stream);
    return {
      send: message => stream.write(frameMessage(message)),
      end: () => stream.end(),
      messages: messagesIn(runs),
      runs,
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
    this.#connection.close();
  }
}

async function* answersOf(stream: Http2Stream): AsyncGenerator<MessageRun> {
  try {
    yield* runsOf(stream.chunks());
  } catch (error) {
    if (error instanceof GrpcError) throw error;
    // The stream was cut: how it ended says more.
  }
  // Whoever has the answer's end has nothing more to say.
  stream.end();
  await stream.closed;
  const error = errorOf(stream);
  if (error !== undefined) throw error;
}

/** Of a call that is over. */
function errorOf({ headers, resetCode }: Http2Stream): GrpcError | undefined {
  const said = new Map(headers.flat());
  const code = said.get('grpc-status');
  if (code === undefined) {
    if (resetCode === http2Error.cancel) return new GrpcError(grpcCode.cancelled, 'the call was cancelled');
    const status = said.get(':status');
    if (status !== undefined && status !== '200')
      return new GrpcError(grpcCode.unknown, `unexpected HTTP status ${status}`);
    return connectionClosed();
  }
  if (Number(code) === grpcCode.ok) return undefined;
  const details = said.get('grpc-status-details-bin');
  return new GrpcError(Number(code), decodeGrpcMessage(said.get('grpc-message') ?? ''), {
    details: details === undefined ? undefined : Buffer.from(details, 'base64'),
  });
}

function connectionClosed(): GrpcError {
  return new GrpcError(grpcCode.unavailable, 'the connection was closed');
}
