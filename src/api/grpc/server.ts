import type { Duplex } from 'node:stream';
import { Http2Connection } from '../http2/connection.ts';
import type { Header } from '../http2/hpack.ts';
import type { Http2Stream } from '../http2/stream.ts';
import { frameMessage, messagesIn, runsOf } from './framing.ts';
import { type Metadata, metadataOf } from './metadata.ts';
import { encodeGrpcMessage, GrpcError, grpcCode } from './status.ts';

/** One call, from the side that answers it. */
export interface GrpcCall {
  readonly metadata: Metadata;
  /** Aborted when the caller gives up or its connection is gone. */
  readonly signal: AbortSignal;
  readonly messages: AsyncGenerator<Buffer>;
  /** Settles when the caller can take more. */
  send(message: Uint8Array): Promise<void>;
  /** Many small messages at once. */
  sendAll(messages: readonly Uint8Array[]): Promise<void>;
}

/** Its end is the end of the call; what it throws becomes the call's status. */
export type GrpcHandler = (call: GrpcCall) => Promise<void>;

export interface GrpcServerOptions {
  /** undefined: there is no such method. `/moby.buildkit.v1.Control/Solve` */
  find: (path: string) => GrpcHandler | undefined;
  toGrpcError: (error: unknown) => GrpcError;
}

/** Speaks gRPC on a connection that nobody else uses. Settles when it is closed. */
export async function serveGrpc(connection: Duplex, options: GrpcServerOptions): Promise<void> {
  const { closed } = new Http2Connection(connection, stream => void answer(stream, options));
  if (closed.aborted) return;
  await new Promise<void>(resolve => closed.addEventListener('abort', () => resolve(), { once: true }));
}

async function answer(stream: Http2Stream, options: GrpcServerOptions): Promise<void> {
  const headers = stream.headers[0]!;
  const path = headers.find(([name]) => name === ':path')?.[1] ?? '';
  const gone = new AbortController();
  void stream.closed.then(() => gone.abort());
  let status = new GrpcError(grpcCode.ok, '');
  let hasResponded = false;
  const respond = () => {
    if (hasResponded) return;
    hasResponded = true;
    stream.respond([
      [':status', '200'],
      ['content-type', 'application/grpc'],
    ]);
  };
  const send = (bytes: Buffer): Promise<void> => {
    respond();
    return stream.write(bytes);
  };
  try {
    const handler = options.find(path);
    if (handler === undefined) throw new GrpcError(grpcCode.unimplemented, `unknown method ${path}`);
    await handler({
      metadata: metadataOf(headers),
      signal: gone.signal,
      messages: messagesIn(runsOf(stream.chunks())),
      send: message => send(frameMessage(message)),
      sendAll: messages => send(Buffer.concat(messages.map(frameMessage))),
    });
  } catch (error) {
    status = options.toGrpcError(error);
  }
  respond();
  stream.end(trailersOf(status));
  // What is still sent to us is not wanted, but must not hold up the connection's window.
  stream.discard();
}

function trailersOf(status: GrpcError): Header[] {
  const trailers: Header[] = [['grpc-status', String(status.code)]];
  if (status.message !== '') trailers.push(['grpc-message', encodeGrpcMessage(status.message)]);
  if (status.details !== undefined) {
    const details = Buffer.from(status.details).toString('base64').replace(/=+$/, '');
    trailers.push(['grpc-status-details-bin', details]);
  }
  return trailers;
}
