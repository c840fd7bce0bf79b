import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { contentService, storeIdHeader, writeAction } from '../../api/buildkit/content.ts';
import type { Metadata } from '../../api/grpc/metadata.ts';
import { GrpcError, grpcCode } from '../../api/grpc/status.ts';
import type { Digest } from '../../oci/digest.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { BuildSession } from './sessions.ts';

/** Below gRPC's limit for a message on the side of clients, 4 MiB. */
const pieceBytes = 1024 * 1024;

/** One of the stores of blobs that a client offers on its session. */
export class SessionContent {
  readonly #session: BuildSession;
  readonly #metadata: Metadata;

  /** @param storeId `local:/path`, `oci:name` */
  constructor(session: BuildSession, storeId: string) {
    this.#session = session;
    // A path that is not ASCII goes as the bytes it has.
    this.#metadata = new Map([[storeIdHeader, [Buffer.from(storeId).toString('latin1')]]]);
  }

  /** undefined: there is no such blob. */
  async sizeOf(digest: Digest, signal: AbortSignal): Promise<number | undefined> {
    const options = { metadata: this.#metadata, signal };
    try {
      const { info } = await this.#session.call(contentService.info, { digest }, options);
      return info?.size ?? 0;
    } catch (error) {
      if (error instanceof GrpcError && error.code === grpcCode.notFound) return undefined;
      throw notServed(error);
    }
  }

  /** Nothing is verified: whoever receives the bytes does that. A blob that is missing fails while it is read. */
  read(digest: Digest, signal: AbortSignal): Readable {
    const { path, request, response } = contentService.read;
    const exchange = this.#session.connection.call(path, { metadata: this.#metadata, signal });
    const pieces = async function* () {
      await exchange.send(request.encode({ digest }));
      exchange.end();
      try {
        for await (const message of exchange.messages) yield Buffer.from(response.decode(message).data);
      } catch (error) {
        if (error instanceof GrpcError && error.code === grpcCode.notFound)
          throw new EngineError('notFound', `content ${digest}: not found`, { cause: error });
        throw notServed(error);
      } finally {
        exchange.cancel();
      }
    };
    return Readable.from(pieces(), { objectMode: false });
  }

  /** One that is there already is left as it is. */
  async write(
    { digest, sizeBytes, open }: { digest: Digest; sizeBytes: number; open: () => AsyncIterable<Buffer> },
    signal: AbortSignal,
  ): Promise<void> {
    const { path, request, response } = contentService.write;
    // A name that nobody else uses: two builds may write to one directory.
    const ref = `gantry-${randomBytes(16).toString('hex')}`;
    const exchange = this.#session.connection.call(path, { metadata: this.#metadata, signal });
    const ask = async (message: Parameters<typeof request.encode>[0]): Promise<void> => {
      await exchange.send(request.encode(message));
      const { value, done } = await exchange.messages.next();
      if (done === true) throw new GrpcError(grpcCode.internal, 'the writing ended without an answer');
      response.decode(value);
    };
    try {
      await ask({ action: writeAction.stat, ref, total: sizeBytes, expected: digest });
      let offset = 0;
      for await (const chunk of open()) {
        for (let at = 0; at < chunk.length; at += pieceBytes) {
          const data = chunk.subarray(at, at + pieceBytes);
          await ask({ action: writeAction.write, ref, offset, data });
          offset += data.length;
        }
      }
      await ask({ action: writeAction.commit, ref, offset, total: sizeBytes, expected: digest });
      exchange.end();
    } catch (error) {
      exchange.cancel();
      if (error instanceof GrpcError && error.code === grpcCode.alreadyExists) return;
      await this.#abort(ref);
      throw notServed(error);
    }
  }

  /** What was begun would stay with the client. */
  async #abort(ref: string): Promise<void> {
    try {
      await this.#session.call(contentService.abort, { ref }, { metadata: this.#metadata });
    } catch {
      // The client is gone, or nothing was begun.
    }
  }
}

function notServed(error: unknown): unknown {
  if (!(error instanceof GrpcError) || error.code !== grpcCode.unimplemented) return error;
  return new EngineError('invalid', 'the client offers no store for this', { cause: error });
}
