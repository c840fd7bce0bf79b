import { Transform, type TransformCallback } from 'node:stream';
import { constants, crc32, createDeflateRaw, type DeflateRaw } from 'node:zlib';

/**
 * gzip with all cores, as pigz does it: blocks are deflated apart in Node's thread pool, each with the 32 KiB before
 * it as its dictionary and ended by a sync flush, so that together they are one ordinary gzip stream:
 *
 *     10 bytes header, deflated block, deflated block ..., empty last block, crc32, size mod 2^32
 *
 * The bytes depend on the input alone, not on how it was cut into chunks or on the number of cores. What does not
 * shrink (images, archives, what is encrypted) is stored as it is, by segments: trying would be most of the work.
 */
export class ParallelGzip extends Transform {
  readonly #level: number;
  readonly #running: Promise<Buffer[]>[] = [];
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
    const packed = packBlock(block, this.#level, dictionary);
    // It is awaited later; until then a rejection would count as unhandled.
    packed.catch(() => {});
    this.#running.push(packed);
    if (this.#running.length >= concurrency) this.#pushAll(await this.#running.shift()!);
  }

  #pushAll(pieces: readonly Buffer[]): void {
    for (const piece of pieces) this.push(piece);
  }

  async #finish(): Promise<void> {
    if (this.#blockLength > 0) await this.#startBlock();
    for (const packed of this.#running.splice(0)) this.#pushAll(await packed);
    const trailer = Buffer.alloc(10);
    // An empty block with fixed codes, marked as the last one.
    trailer.set([0x03, 0x00]);
    trailer.writeUInt32LE(this.#crc, 2);
    trailer.writeUInt32LE(this.#size % 2 ** 32, 6);
    this.push(trailer);
  }
}

/** @param before what the stream had before this block, as far as a match may reach back. */
async function packBlock(block: Buffer, level: number, before: Buffer | undefined): Promise<Buffer[]> {
  const runs = runsOf(block);
  if (runs.every(({ shrinks }) => !shrinks)) return storedBlocks(block);
  // One deflater for all of the block: each takes a quarter of a megabyte.
  const deflater = createDeflateRaw({
    level: levelOf(runs[0]!, level),
    finishFlush: constants.Z_SYNC_FLUSH,
    // In one go: with Node's default of 16 KiB every block would visit the thread pool thirty times.
    chunkSize: blockLimit + blockLimit / 64,
    ...(before === undefined ? {} : { dictionary: before }),
  });
  const pieces = deflater.toArray() as Promise<Buffer[]>;
  // It is awaited below, unless something else fails first.
  pieces.catch(() => {});
  for (const [index, run] of runs.entries()) {
    if (index > 0) await changeLevel(deflater, levelOf(run, level));
    deflater.write(block.subarray(run.start, run.end));
  }
  deflater.end();
  return pieces;
}

function levelOf({ shrinks }: { shrinks: boolean }, level: number): number {
  return shrinks ? level : constants.Z_NO_COMPRESSION;
}

function changeLevel(deflater: DeflateRaw, level: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  deflater.params(level, constants.Z_DEFAULT_STRATEGY, resolve);
  return promise;
}

/** RFC 1951, 3.2.4, after a flush: a byte of zeros, the length, its complement, the bytes as they are. */
function storedBlocks(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += storedLimit) {
    const piece = bytes.subarray(at, at + storedLimit);
    const header = Buffer.alloc(5);
    header.writeUInt16LE(piece.length, 1);
    header.writeUInt16LE(piece.length ^ 0xffff, 3);
    pieces.push(header, piece);
  }
  return pieces;
}

/** The block in runs that are deflated and runs that are not. */
function runsOf(block: Buffer): { start: number; end: number; shrinks: boolean }[] {
  const runs: { start: number; end: number; shrinks: boolean }[] = [];
  for (let start = 0; start < block.length; start += segmentSize) {
    const end = Math.min(start + segmentSize, block.length);
    const shrinks = looksOrderly(block, start, end);
    const last = runs.at(-1);
    if (last?.shrinks === shrinks) last.end = end;
    else runs.push({ start, end, shrinks });
  }
  return runs;
}

const counts = new Uint16Array(256);

/**
 * Whether bytes come unevenly often in four samples of a segment. In random ones the squares of how often each of 256
 * comes sum up to 512 + 512 * 511 / 256 = 1534, give or take 45; in text and programs to twice as much and more.
 */
function looksOrderly(block: Buffer, start: number, end: number): boolean {
  if (end - start < segmentSize) return true;
  counts.fill(0);
  let squares = 0;
  for (let sample = 0; sample < 4; sample++) {
    const from = start + Math.floor((sample * (segmentSize - sampleSize)) / 3);
    for (let at = from; at < from + sampleSize; at++) {
      // (n + 1)^2 - n^2
      const before = counts[block[at]!]!++;
      squares += 2 * before + 1;
    }
  }
  return squares > evenSquares;
}

const segmentSize = 8 * 1024;
const sampleSize = 128;
const evenSquares = 1760;
const storedLimit = 0xffff;
const blockLimit = 512 * 1024;
const windowSize = 32 * 1024;
/** Node's thread pool has four threads by default. */
const concurrency = 4;
