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
 * Blocks know nothing of what was before them. That costs a hundredth of the size, but deflaters and the memory of
 * blocks can be used again: a deflater takes a quarter of a megabyte, and hundreds of them kept the collector of garbage
 * busier than the compression; so did half a megabyte of fresh memory for each block.
 */
export class GzipBlocks {
  readonly #emit: Emit;
  readonly #level: number;
  readonly #all: Block[] = [];
  readonly #idle: Block[] = [];
  readonly #running: { block: Block; packed: Promise<Buffer[]> }[] = [];
  #filling: Block;
  #crc = 0;
  #size = 0;
  #begun = false;

  constructor(emit: Emit, level = 6) {
    this.#emit = emit;
    this.#level = level;
    this.#filling = this.#newBlock();
  }

  /** The chunk is the caller's again when this settles. */
  async take(chunk: Uint8Array): Promise<void> {
    await this.#begin();
    this.#crc = crc32(chunk, this.#crc);
    this.#size += chunk.length;
    for (let at = 0; at < chunk.length; ) {
      at += this.#filling.fill(chunk, at);
      if (this.#filling.length === blockLimit) await this.#startBlock();
    }
  }

  async finish(): Promise<void> {
    await this.#begin();
    if (this.#filling.length > 0) await this.#startBlock();
    while (this.#running.length > 0) await this.#emitOldest();
    const trailer = Buffer.alloc(10);
    // An empty block with fixed codes, marked as the last one.
    trailer.set([0x03, 0x00]);
    trailer.writeUInt32LE(this.#crc, 2);
    trailer.writeUInt32LE(this.#size % 2 ** 32, 6);
    await this.#emit([trailer]);
  }

  /** Gives it up, or frees what it took. */
  close(): void {
    for (const block of this.#all) block.close();
  }

  async #begin(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    // No time, no name, unknown system: nothing of this machine.
    await this.#emit([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])]);
  }

  async #startBlock(): Promise<void> {
    const block = this.#filling;
    const packed = block.pack();
    // It is awaited later; until then a rejection would count as unhandled.
    packed.catch(() => {});
    this.#running.push({ block, packed });
    if (this.#running.length >= concurrency) await this.#emitOldest();
    this.#filling = this.#idle.pop() ?? this.#newBlock();
  }

  async #emitOldest(): Promise<void> {
    const { block, packed } = this.#running.shift()!;
    await this.#emit(await packed);
    block.length = 0;
    this.#idle.push(block);
  }

  #newBlock(): Block {
    const block = new Block(this.#level);
    this.#all.push(block);
    return block;
  }
}

/** Takes the next pieces; they are valid until it settles. */
export type Emit = (pieces: readonly Buffer[]) => Promise<void>;

/** The same as a stream. */
export class ParallelGzip extends Transform {
  readonly #blocks: GzipBlocks;

  constructor(options: { level?: number } = {}) {
    super({ writableHighWaterMark: 2 * blockLimit, readableHighWaterMark: 2 * blockLimit });
    // Whoever reads may keep what it gets.
    this.#blocks = new GzipBlocks(async pieces => void this.push(Buffer.concat(pieces)), options.level);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#blocks.take(chunk).then(() => done(), done);
  }

  override _flush(done: TransformCallback): void {
    this.#blocks.finish().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#blocks.close();
    done(error);
  }
}

/** Memory for half a megabyte, and a deflater for it, used again and again. */
class Block {
  length = 0;
  readonly #level: number;
  readonly #bytes = Buffer.allocUnsafeSlow(blockLimit);
  #deflater: DeflateRaw | undefined;
  #closed = false;

  constructor(level: number) {
    this.#level = level;
  }

  /** @returns how many bytes of the chunk, from `at` on, went in. */
  fill(chunk: Uint8Array, at: number): number {
    const taken = Math.min(blockLimit - this.length, chunk.length - at);
    this.#bytes.set(chunk.subarray(at, at + taken), this.length);
    this.length += taken;
    return taken;
  }

  /** @returns whole deflated or stored blocks, none of them the last of a stream. */
  async pack(): Promise<Buffer[]> {
    const bytes = this.#bytes.subarray(0, this.length);
    const pieces: Buffer[] = [];
    for (const { start, end, shrinks } of runsOf(bytes)) {
      const run = bytes.subarray(start, end);
      pieces.push(...(shrinks ? await this.#deflate(run) : storedBlocks(run)));
    }
    return pieces;
  }

  close(): void {
    this.#closed = true;
    this.#deflater?.destroy();
  }

  async #deflate(bytes: Buffer): Promise<Buffer[]> {
    if (this.#closed) throw new Error('the compression was given up');
    this.#deflater ??= createDeflateRaw({
      level: this.#level,
      // After each write all of it is out.
      flush: constants.Z_SYNC_FLUSH,
      // In one go: with Node's default of 16 KiB every block would visit the thread pool thirty times.
      chunkSize: blockLimit + blockLimit / 64,
    });
    const deflater = this.#deflater;
    const pieces: Buffer[] = [];
    const keep = (piece: Buffer) => pieces.push(piece);
    deflater.on('data', keep);
    await written(deflater, bytes);
    deflater.off('data', keep);
    deflater.reset();
    return pieces;
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
