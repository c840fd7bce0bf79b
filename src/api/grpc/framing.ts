import { GrpcError, grpcCode } from './status.ts';

/**
 * How messages follow each other on a stream:
 *
 *      0            1   2   3   4      5 ...
 *     +------------+------------------+----------
 *     | compressed | size, big endian |  message
 *     +------------+------------------+----------
 *
 * Nothing is ever compressed here, and the other side is told so by saying nothing of it.
 */
export const grpcHeaderBytes = 5;

/** BuildKit's limit for both directions. */
export const messageLimitBytes = 16 * 1024 * 1024;

export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(grpcHeaderBytes + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, grpcHeaderBytes);
  return frame;
}

/** Whole messages that came together, each behind its header. */
export interface MessageRun {
  readonly bytes: Buffer;
  /** Where each message's header begins, and where the last message ends. */
  readonly bounds: readonly number[];
}

/** One message of a run, without its header: a view of it. */
export function messageAt({ bytes, bounds }: MessageRun, index: number): Buffer {
  return bytes.subarray(bounds[index]! + grpcHeaderBytes, bounds[index + 1]!);
}

/** The messages of runs one by one. */
export async function* messagesIn(runs: AsyncIterable<MessageRun>): AsyncGenerator<Buffer> {
  for await (const run of runs) {
    for (let index = 0; index + 1 < run.bounds.length; index++) yield messageAt(run, index);
  }
}

/**
 * The messages of a stream as they come: of fifty thousand small ones none is an object of its own here, nor waited for
 * one by one.
 * @throws GrpcError when a message is larger than the limit, compressed, or cut off; what came before is told before
 */
export async function* runsOf(
  chunks: AsyncIterable<Buffer>,
  limitBytes = messageLimitBytes,
): AsyncGenerator<MessageRun> {
  let kept: Buffer[] = [];
  let keptBytes = 0;
  let neededBytes = grpcHeaderBytes;
  for await (const chunk of chunks) {
    kept.push(chunk);
    keptBytes += chunk.length;
    if (keptBytes < neededBytes) continue;
    const bytes = kept.length === 1 ? kept[0]! : Buffer.concat(kept);
    const bounds: number[] = [];
    let at = 0;
    let refused: GrpcError | undefined;
    for (;;) {
      neededBytes = grpcHeaderBytes;
      if (bytes.length - at < grpcHeaderBytes) break;
      const sizeBytes = bytes.readUInt32BE(at + 1);
      refused = refusalOf(bytes[at]!, sizeBytes, limitBytes);
      if (refused !== undefined) break;
      neededBytes = grpcHeaderBytes + sizeBytes;
      if (bytes.length - at < neededBytes) break;
      bounds.push(at);
      at += neededBytes;
    }
    if (bounds.length > 0) yield { bytes, bounds: [...bounds, at] };
    if (refused !== undefined) throw refused;
    kept = at === bytes.length ? [] : [bytes.subarray(at)];
    keptBytes = bytes.length - at;
  }
  if (keptBytes > 0) throw new GrpcError(grpcCode.internal, 'the stream ended inside a message');
}

function refusalOf(flags: number, sizeBytes: number, limitBytes: number): GrpcError | undefined {
  if (flags !== 0) return new GrpcError(grpcCode.unimplemented, 'compressed messages are not supported');
  if (sizeBytes <= limitBytes) return undefined;
  const text = `received message larger than max (${sizeBytes} vs. ${limitBytes})`;
  return new GrpcError(grpcCode.resourceExhausted, text);
}
