import { Transform, type TransformCallback } from 'node:stream';
import { constants, crc32, createDeflateRaw, type DeflateRaw } from 'node:zlib';

/**
 * gzip with all cores, as pigz does it: blocks are deflated apart in Node's thread pool, each ended by a sync flush, so
 * that together they are one ordinary gzip stream:
 *
 *     10 bytes header, deflated block, deflated block ..., empty last block, crc32, size mod 2^32
 *
 * The bytes depend on the input alone, not on how it was cut into chunks or on the number of cores. What does not
 * shrink (images, archives, what is encrypted) is stored as it is, by segments: trying would be most of the work.
 *
 * Blocks know nothing of what was before them. That costs a hundredth of the size, but a deflater can be used again: a
 * new one takes a quarter of a megabyte, and hundreds of them kept the collector of garbage busier than the
 * compression.
 */
export class ParallelGzip extends Transform {
  readonly #deflaters: Deflaters;
  readonly #running: Promise<Buffer[]>[] = [];
  #block: Buffer[] = [];
  #blockLength = 0;
  #crc = 0;
  #size = 0;

  constructor(options: { level?: number } = {}) {
    super({ writableHighWaterMark: 2 * blockLimit, readableHighWaterMark: 2 * blockLimit });
    this.#deflaters = new Deflaters(options.level ?? 6);
    // No time, no name, unknown system: nothing of this machine.
    this.push(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#take(chunk).then(() => done(), done);
  }

  override _flush(done: TransformCallback): void {
    this.#finish().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#deflaters.close();
    done(error);
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
    const packed = packBlock(block, this.#deflaters);
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

async function packBlock(block: Buffer, deflaters: Deflaters): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  for (const { start, end, shrinks } of runsOf(block)) {
    const run = block.subarray(start, end);
    pieces.push(...(shrinks ? await deflaters.deflate(run) : storedBlocks(run)));
  }
  return pieces;
}

/** Deflaters that are used again and again, each for one run of bytes at a time. */
class Deflaters {
  readonly #level: number;
  readonly #idle: DeflateRaw[] = [];
  readonly #all: DeflateRaw[] = [];
  #closed = false;

  constructor(level: number) {
    this.#level = level;
  }

  /** @returns whole deflated blocks, none of them the last of a stream. */
  async deflate(bytes: Buffer): Promise<Buffer[]> {
    if (this.#closed) throw new Error('the compression was given up');
    const deflater = this.#idle.pop() ?? this.#make();
    const pieces: Buffer[] = [];
    const keep = (piece: Buffer) => pieces.push(piece);
    deflater.on('data', keep);
    await written(deflater, bytes);
    deflater.off('data', keep);
    deflater.reset();
    this.#idle.push(deflater);
    return pieces;
  }

  close(): void {
    this.#closed = true;
    for (const deflater of this.#all) deflater.destroy();
  }

  #make(): DeflateRaw {
    const deflater = createDeflateRaw({
      level: this.#level,
      // After each write all of it is out.
      flush: constants.Z_SYNC_FLUSH,
      // In one go: with Node's default of 16 KiB every block would visit the thread pool thirty times.
      chunkSize: blockLimit + blockLimit / 64,
    });
    this.#all.push(deflater);
    return deflater;
  }
}

function written(deflater: DeflateRaw, bytes: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // Destroyed while it works it says nothing else.
  const fail = (error?: Error) => reject(error ?? new Error('the compression was given up'));
  deflater.once('close', fail).once('error', fail);
  deflater.write(bytes, error => {
    deflater.off('close', fail).off('error', fail);
    if (error) reject(error);
    else resolve();
  });
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

interface Run {
  start: number;
  end: number;
  shrinks: boolean;
}

/**
 * The block in runs that are deflated and runs that are not. A short one that does not shrink is deflated along with
 * what is beside it, as each run has its price.
 */
function runsOf(block: Buffer): Run[] {
  const runs: Run[] = [];
  for (let start = 0; start < block.length; start += segmentSize) {
    const end = Math.min(start + segmentSize, block.length);
    addRun(runs, { start, end, shrinks: looksOrderly(block, start, end) });
  }
  if (runs.length < 3) return runs;
  const fewer: Run[] = [];
  for (const run of runs)
    addRun(fewer, { ...run, shrinks: run.shrinks || run.end - run.start <= shortRunBytes });
  return fewer;
}

function addRun(runs: Run[], run: Run): void {
  const last = runs.at(-1);
  if (last?.shrinks === run.shrinks) last.end = run.end;
  else runs.push(run);
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
const shortRunBytes = 3 * segmentSize;
const evenSquares = 1760;
const storedLimit = 0xffff;
const blockLimit = 512 * 1024;
/** Node's thread pool has four threads by default. */
const concurrency = 4;
