import type { Readable } from 'node:stream';
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
const headerBytes = 5;

/** BuildKit's limit for both directions. */
export const messageLimitBytes = 16 * 1024 * 1024;

export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headerBytes + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, headerBytes);
  return frame;
}

/** The messages of a stream one by one; see batchesOf(). */
export async function* messagesOf(stream: Readable, limitBytes = messageLimitBytes): AsyncGenerator<Buffer> {
  for await (const batch of batchesOf(stream, limitBytes)) yield* batch;
}

/**
 * The messages of a stream as they come, those together that came together: fifty thousand small ones are not waited
 * for one by one. The stream is not destroyed when the reader stops early.
 * @throws GrpcError when a message is larger than the limit, compressed, or cut off; what came before is told before
 */
export async function* batchesOf(stream: Readable, limitBytes = messageLimitBytes): AsyncGenerator<Buffer[]> {
  let kept: Buffer[] = [];
  let keptBytes = 0;
  let neededBytes = headerBytes;
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    kept.push(chunk);
    keptBytes += chunk.length;
    if (keptBytes < neededBytes) continue;
    const whole = kept.length === 1 ? kept[0]! : Buffer.concat(kept);
    const batch: Buffer[] = [];
    let at = 0;
    let refused: GrpcError | undefined;
    for (;;) {
      neededBytes = headerBytes;
      if (whole.length - at < headerBytes) break;
      const sizeBytes = whole.readUInt32BE(at + 1);
      refused = refusalOf(whole[at]!, sizeBytes, limitBytes);
      if (refused !== undefined) break;
      neededBytes = headerBytes + sizeBytes;
      if (whole.length - at < neededBytes) break;
      batch.push(whole.subarray(at + headerBytes, at + neededBytes));
      at += neededBytes;
    }
    if (batch.length > 0) yield batch;
    if (refused !== undefined) throw refused;
    kept = at === whole.length ? [] : [whole.subarray(at)];
    keptBytes = whole.length - at;
  }
  if (keptBytes > 0) throw new GrpcError(grpcCode.internal, 'the stream ended inside a message');
}

function refusalOf(flags: number, sizeBytes: number, limitBytes: number): GrpcError | undefined {
  if (flags !== 0) return new GrpcError(grpcCode.unimplemented, 'compressed messages are not supported');
  if (sizeBytes <= limitBytes) return undefined;
  const text = `received message larger than max (${sizeBytes} vs. ${limitBytes})`;
  return new GrpcError(grpcCode.resourceExhausted, text);
}
