import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { frameMessage, messagesOf } from './framing.ts';
import { http2Settings, takeChunk } from './http2.ts';
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
  const { performServerHandshake } = await import('node:http2');
  const session: ServerHttp2Session = performServerHandshake(connection as never, http2Settings);
  session.setLocalWindowSize(http2Settings.windowBytes);
  session.on('stream', (stream, headers, _flags, rawHeaders) => {
    void answer(stream, String(headers[':path']), metadataOf(rawHeaders), options);
  });
  await new Promise<void>(resolve => {
    session.on('error', () => session.destroy());
    session.once('close', resolve);
    connection.once('close', () => session.destroy());
  });
}

async function answer(
  stream: ServerHttp2Stream,
  path: string,
  metadata: Metadata,
  options: GrpcServerOptions,
): Promise<void> {
  const gone = new AbortController();
  // A reset says itself by 'close'; without a listener it would end the process.
  stream.on('error', () => {});
  stream.once('close', () => gone.abort());
  stream.once('aborted', () => gone.abort());
  let status = new GrpcError(grpcCode.ok, '');
  stream.once('wantTrailers', () => stream.sendTrailers(trailersOf(status)));
  const respond = () => {
    if (stream.headersSent || stream.destroyed) return;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  };
  try {
    const handler = options.find(path);
    if (handler === undefined) throw new GrpcError(grpcCode.unimplemented, `unknown method ${path}`);
    await handler({
      metadata,
      signal: gone.signal,
      messages: messagesOf(stream),
      send: message => {
        respond();
        return takeChunk(stream, frameMessage(message));
      },
      sendAll: messages => {
        respond();
        return takeChunk(stream, Buffer.concat(messages.map(frameMessage)));
      },
    });
  } catch (error) {
    status = options.toGrpcError(error);
  }
  if (stream.destroyed || stream.closed) return;
  respond();
  stream.end();
  // What is still sent to us is not wanted, but must not hold up the connection's window.
  stream.resume();
}

function trailersOf(status: GrpcError): Record<string, string> {
  return {
    'grpc-status': String(status.code),
    ...(status.message === '' ? {} : { 'grpc-message': encodeGrpcMessage(status.message) }),
    ...(status.details === undefined
      ? {}
      : { 'grpc-status-details-bin': Buffer.from(status.details).toString('base64').replace(/=+$/, '') }),
  };
}
