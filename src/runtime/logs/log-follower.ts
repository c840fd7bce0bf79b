import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { errnoOf } from '../../stdx/errors.ts';
import { type LogRecords, parseLogRecords, RecordMemory } from './log-format.ts';
import { fileAt, type LogPosition, listSegments } from './log-segments.ts';

const chunkBytes = 1 << 20;

/**
 * Reads a captured log from a place on, through its rotations: a segment is left only when it is complete, that is
 * when a newer one exists and it was read to its end after that was seen.
 *
 * What it gives lies in memory that it uses again: it is gone with the next call. New memory for every piece of a
 * large log makes V8 collect the whole heap again and again; that was most of the time `logs` took (measured).
 */
export class LogFollower {
  readonly #path: string;
  readonly #chunkBytes: number;
  #position: LogPosition;
  #source: SegmentSource | undefined;
  readonly #memory = new RecordMemory();
  #buffer: Buffer = Buffer.alloc(0);
  /** Where in the buffer the beginning of a record lies; moved to its start when more is read. */
  #rest = { start: 0, end: 0 };
  #skipped = 0;

  constructor(path: string, position: LogPosition, options: { chunkBytes?: number } = {}) {
    this.#path = path;
    this.#position = { ...position };
    this.#chunkBytes = options.chunkBytes ?? chunkBytes;
  }

  /** Behind what `next` gave last. */
  get position(): Readonly<LogPosition> {
    return this.#position;
  }

  /** Segments that were removed before they were read. */
  get skippedSegments(): number {
    return this.#skipped;
  }

  /** The next records, with the place where they begin; undefined when there are no more at the moment. */
  async next(): Promise<{ records: LogRecords; from: LogPosition } | undefined> {
    for (;;) {
      if (this.#source === undefined && !(await this.#openSegment())) return undefined;
      const found = await this.#readOn();
      if (found !== undefined) return found;
      const next = this.#nextNumber();
      if (next === undefined) return undefined;
      // Something may have been written between the reading and the rotation.
      const rest = await this.#readOn();
      if (rest !== undefined) return rest;
      await this.#leave();
      this.#position = { segment: this.#position.segment + 1, offset: 0 };
    }
  }

  async close(): Promise<void> {
    await this.#leave();
  }

  async #leave(): Promise<void> {
    this.#rest = { start: 0, end: 0 };
    await this.#source?.close();
    this.#source = undefined;
  }

  async #readOn(): Promise<{ records: LogRecords; from: LogPosition } | undefined> {
    for (;;) {
      const restBytes = this.#moveRest();
      const bytesRead = await this.#source!.read(this.#buffer, restBytes);
      if (bytesRead === 0) return undefined;
      const data = this.#buffer.subarray(0, restBytes + bytesRead);
      const { records, sizeBytes } = parseLogRecords(data, this.#memory);
      this.#rest = { start: sizeBytes, end: data.length };
      const from = { ...this.#position };
      this.#position.offset += sizeBytes;
      if (records.length > 0) return { records, from };
    }
  }

  /** Makes room behind the beginning of a record. @returns how long that is */
  #moveRest(): number {
    const { start, end } = this.#rest;
    const sizeBytes = end - start;
    if (this.#buffer.length < sizeBytes * 2 || this.#buffer.length < this.#chunkBytes) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#chunkBytes, sizeBytes * 2));
      this.#buffer.copy(larger, 0, start, end);
      this.#buffer = larger;
    } else {
      this.#buffer.copyWithin(0, start, end);
    }
    this.#rest = { start: 0, end: sizeBytes };
    return sizeBytes;
  }

  /** Opens the segment of the position, or the first that is left behind it. @returns whether there is one */
  async #openSegment(): Promise<boolean> {
    for (;;) {
      const { rotated, currentNumber, hasCurrent } = listSegments(this.#path);
      const wanted = this.#position.segment;
      const segment = rotated.find(({ number }) => number >= wanted);
      if (segment === undefined && !hasCurrent) return false;
      const number = segment?.number ?? currentNumber;
      if (number > wanted) this.#skipTo(number);
      const { offset } = this.#position;
      if (segment === undefined) this.#source = await this.#openCurrent(number, offset);
      else if (segment.plain !== undefined) this.#source = await openPlain(segment.plain, offset);
      else this.#source = await openCompressed(segment.compressed!, offset);
      // If not, it was rotated, compressed or removed just now: look again.
      if (this.#source !== undefined) return true;
    }
  }

  #skipTo(number: number): void {
    if (this.#position.segment > 0) this.#skipped += number - this.#position.segment;
    this.#position = { segment: number, offset: 0 };
  }

  async #openCurrent(number: number, offset: number): Promise<SegmentSource | undefined> {
    const source = await openPlain(this.#path, offset);
    // Rotated between the listing and the opening: then it is another file than we think.
    if (source === undefined || listSegments(this.#path).currentNumber === number) return source;
    await source.close();
    return undefined;
  }

  /** Number of a newer segment, whose existence means that this one is complete. */
  #nextNumber(): number | undefined {
    if (this.#source!.inode === fileAt(this.#path)?.inode) return undefined;
    const { rotated, currentNumber, hasCurrent } = listSegments(this.#path);
    const next = rotated.find(({ number }) => number > this.#position.segment);
    if (next !== undefined) return next.number;
    return hasCurrent && currentNumber > this.#position.segment ? currentNumber : undefined;
  }
}

interface SegmentSource {
  /** undefined for a compressed one. */
  readonly inode: number | undefined;
  /** Fills the buffer from a place on. @returns how many bytes; 0 at the end, which may move */
  read(into: Buffer, at: number): Promise<number>;
  close(): Promise<void>;
}

async function openPlain(path: string, offset: number): Promise<SegmentSource | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const { ino } = await file.stat();
  let position = offset;
  return {
    inode: ino,
    async read(into, at) {
      const { bytesRead } = await file.read(into, at, into.length - at, position);
      position += bytesRead;
      return bytesRead;
    },
    close: () => file.close(),
  };
}

async function openCompressed(path: string, offset: number): Promise<SegmentSource | undefined> {
  // Emptied, as only its number is needed any more.
  if (fileAt(path)?.sizeBytes === 0) return { inode: undefined, read: async () => 0, close: async () => {} };
  const file = createReadStream(path, { highWaterMark: unpackBytes });
  try {
    await new Promise((resolve, reject) => file.once('open', resolve).once('error', reject));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const unpacked: Readable = file.pipe(createGunzip({ chunkSize: unpackBytes }));
  file.once('error', error => unpacked.destroy(error));
  const chunks = unpacked[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let toSkip = offset;
  let chunk: Buffer = Buffer.alloc(0);
  return {
    inode: undefined,
    async read(into, at) {
      while (chunk.length === 0) {
        const { value, done } = await chunks.next();
        if (done === true) return 0;
        const skipped = Math.min(toSkip, value.length);
        toSkip -= skipped;
        chunk = value.subarray(skipped);
      }
      const copied = chunk.copy(into, at);
      chunk = chunk.subarray(copied);
      return copied;
    },
    async close() {
      unpacked.destroy();
      file.destroy();
    },
  };
}

const unpackBytes = 1 << 18;
