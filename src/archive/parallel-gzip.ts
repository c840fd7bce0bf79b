import { Transform, type TransformCallback } from 'node:stream';
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw, type ZlibOptions } from 'node:zlib';

const deflate = promisify(deflateRaw) as (bytes: Buffer, options: ZlibOptions) => Promise<Buffer>;

/**
 * gzip with all cores, as pigz does it: blocks are deflated apart in Node's thread pool, each with the 32 KiB before
 * it as its dictionary and ended by a sync flush, so that together they are one ordinary gzip stream:
 *
 *     10 bytes header, deflated block, deflated block ..., empty last block, crc32, size mod 2^32
 *
 * The bytes depend on the input alone, not on how it was cut into chunks or on the number of cores. Blocks that do
 * not shrink (images, archives, what is encrypted) are stored as they are: trying would be most of the work.
 */
export class ParallelGzip extends Transform {
  readonly #level: number;
  readonly #running: Promise<Buffer>[] = [];
  #block: Buffer[] = [];
  #blockLength = 0;
  #dictionary: Buffer | undefined;
  #crc = 0;
  #size = 0;

  constructor(options: { level?: number } = {}) {
    super({ writableHighWaterMark: 2 * blockLimit, readableHighWaterMark: 2 * blockLimit });
    this.#level = options.level ?? 6;
    // No time, no name, unknown system: nothing of this machine.
    this.push(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#take(chunk).then(() => done(), done);
  }

  override _flush(done: TransformCallback): void {
    this.#finish().then(() => done(), done);
  }

  async #take(chunk: Buffer): Promise<void> {
    this.#crc = crc32(chunk, this.#crc);
    this.#size += chunk.length;
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(blockLimit - this.#blockLength, chunk.length - at);
      this.#block.push(chunk.subarray(at, at + taken));
      this.#blockLength += taken;
      at += taken;
      if (this.#blockLength === blockLimit) await this.#startBlock();
    }
  }

  async #startBlock(): Promise<void> {
    const block = Buffer.concat(this.#block);
    this.#block = [];
    this.#blockLength = 0;
    const dictionary = this.#dictionary;
    this.#dictionary = block.subarray(-windowSize);
    const deflated = deflateBlock(block, this.#level, dictionary);
    // It is awaited later; until then a rejection would count as unhandled.
    deflated.catch(() => {});
    this.#running.push(deflated);
    if (this.#running.length >= concurrency) this.push(await this.#running.shift());
  }

  async #finish(): Promise<void> {
    if (this.#blockLength > 0) await this.#startBlock();
    for (const deflated of this.#running.splice(0)) this.push(await deflated);
    const trailer = Buffer.alloc(10);
    // An empty block with fixed codes, marked as the last one.
    trailer.set([0x03, 0x00]);
    trailer.writeUInt32LE(this.#crc, 2);
    trailer.writeUInt32LE(this.#size % 2 ** 32, 6);
    this.push(trailer);
  }
}

async function deflateBlock(block: Buffer, level: number, dictionary: Buffer | undefined): Promise<Buffer> {
  return deflate(block, {
    level: (await shrinks(block)) ? level : constants.Z_NO_COMPRESSION,
    finishFlush: constants.Z_SYNC_FLUSH,
    // In one go: with Node's default of 16 KiB every block would visit the thread pool thirty times.
    chunkSize: blockLimit + blockLimit / 64,
    ...(dictionary === undefined ? {} : { dictionary }),
  });
}

/** Tries four pieces spread over the block, which takes a hundredth of the time the block would. */
async function shrinks(block: Buffer): Promise<boolean> {
  if (block.length < 8 * pieceSize) return true;
  const stride = Math.floor((block.length - pieceSize) / 3);
  const pieces = [0, 1, 2, 3].map(index => block.subarray(index * stride, index * stride + pieceSize));
  const deflated = await deflate(Buffer.concat(pieces), { level: 1, chunkSize: 8 * pieceSize });
  return deflated.length < 4 * pieceSize * 0.97;
}

const pieceSize = 4 * 1024;
const blockLimit = 512 * 1024;
const windowSize = 32 * 1024;
/** Node's thread pool has four threads by default. */
const concurrency = 4;
