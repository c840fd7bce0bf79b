/**
 * How stdout and stderr share one connection when there is no terminal (attach, exec, logs):
 *
 *      0        1   2   3        4   5   6   7        8 ...
 *     +--------+-------------+------------------+-----------
 *     | stream |  0   0   0  | size, big endian |  payload
 *     +--------+-------------+------------------+-----------
 *
 * stream: 0 stdin (never sent), 1 stdout, 2 stderr, 3 an error of the daemon's own.
 */
export const frameHeaderBytes = 8;

export type FrameStream = 'stdin' | 'stdout' | 'stderr' | 'systemerr';

const streams: readonly FrameStream[] = ['stdin', 'stdout', 'stderr', 'systemerr'];

/** @returns where the payload goes, right behind the header. */
export function writeFrameHeader(into: Buffer, at: number, stream: FrameStream, sizeBytes: number): number {
  into.writeUInt32BE(streams.indexOf(stream) << 24, at);
  into.writeUInt32BE(sizeBytes, at + 4);
  return at + frameHeaderBytes;
}

/** Header and payload in one buffer: one write, one packet. */
export function encodeFrame(stream: FrameStream, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(frameHeaderBytes + payload.length);
  frame.set(payload, writeFrameHeader(frame, 0, stream, payload.length));
  return frame;
}

/**
 * Takes a connection's bytes as they come and hands on payloads as they come: a frame larger than a chunk is
 * delivered in pieces, never gathered, so memory stays bounded and output is not late.
 */
export class FrameDecoder {
  readonly #deliver: (stream: FrameStream, payload: Buffer) => void;
  readonly #header = Buffer.alloc(frameHeaderBytes);
  #headerFilled = 0;
  #stream: FrameStream = 'stdout';
  #payloadLeft = 0;

  constructor(deliver: (stream: FrameStream, payload: Buffer) => void) {
    this.#deliver = deliver;
  }

  /** @throws RangeError when the bytes are not frames */
  push(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#payloadLeft === 0) {
        offset += this.#takeHeader(chunk, offset);
        continue;
      }
      const payload = chunk.subarray(offset, offset + this.#payloadLeft);
      this.#payloadLeft -= payload.length;
      offset += payload.length;
      this.#deliver(this.#stream, payload);
    }
  }

  #takeHeader(chunk: Buffer, offset: number): number {
    const taken = chunk.copy(this.#header, this.#headerFilled, offset);
    this.#headerFilled += taken;
    if (this.#headerFilled < frameHeaderBytes) return taken;
    const stream = streams[this.#header[0]!];
    if (stream === undefined || this.#header.readUIntBE(1, 3) !== 0) {
      throw new RangeError(`unrecognized stream: ${this.#header[0]}`);
    }
    this.#stream = stream;
    this.#payloadLeft = this.#header.readUInt32BE(4);
    this.#headerFilled = 0;
    return taken;
  }
}
