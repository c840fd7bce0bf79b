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

/**
 * The messages of a stream as they come. The stream is not destroyed when the reader stops early.
 * @throws GrpcError when a message is larger than the limit, compressed, or cut off
 */
export async function* messagesOf(stream: Readable, limitBytes = messageLimitBytes): AsyncGenerator<Buffer> {
  let kept: Buffer[] = [];
  let keptBytes = 0;
  let neededBytes = headerBytes;
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    kept.push(chunk);
    keptBytes += chunk.length;
    if (keptBytes < neededBytes) continue;
    let whole = kept.length === 1 ? kept[0]! : Buffer.concat(kept);
    for (;;) {
      if (whole.length < headerBytes) {
        neededBytes = headerBytes;
        break;
      }
      if (whole[0] !== 0)
        throw new GrpcError(grpcCode.unimplemented, 'compressed messages are not supported');
      const sizeBytes = whole.readUInt32BE(1);
      if (sizeBytes > limitBytes) {
        const text = `received message larger than max (${sizeBytes} vs. ${limitBytes})`;
        throw new GrpcError(grpcCode.resourceExhausted, text);
      }
      neededBytes = headerBytes + sizeBytes;
      if (whole.length < neededBytes) break;
      yield whole.subarray(headerBytes, neededBytes);
      whole = whole.subarray(neededBytes);
    }
    kept = whole.length === 0 ? [] : [whole];
    keptBytes = whole.length;
  }
  if (keptBytes > 0) throw new GrpcError(grpcCode.internal, 'the stream ended inside a message');
}
