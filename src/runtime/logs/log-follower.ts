import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { errnoOf } from '../../stdx/errors.ts';
import { type LogRecords, parseLogRecords } from './log-format.ts';
import { fileAt, type LogPosition, listSegments } from './log-segments.ts';

const chunkBytes = 1 << 20;

/**
 * Reads a captured log from a place on, through its rotations: a segment is left only when it is complete, that is
 * when a newer one exists and it was read to its end after that was seen.
 */
export class LogFollower {
  readonly #path: string;
  readonly #chunkBytes: number;
  #position: LogPosition;
  #source: SegmentSource | undefined;
  #rest: Buffer = Buffer.alloc(0);
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
    this.#rest = Buffer.alloc(0);
    await this.#source?.close();
    this.#source = undefined;
  }

  async #readOn(): Promise<{ records: LogRecords; from: LogPosition } | undefined> {
    for (;;) {
      const chunk = await this.#source!.read();
      if (chunk === undefined) return undefined;
      const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      const { records, sizeBytes } = parseLogRecords(data);
      this.#rest = data.subarray(sizeBytes);
      const from = { ...this.#position };
      this.#position.offset += sizeBytes;
      if (records.length > 0) return { records, from };
    }
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
      else if (segment.plain !== undefined)
        this.#source = await openPlain(segment.plain, offset, this.#chunkBytes);
      else this.#source = await openCompressed(segment.compressed!, offset, this.#chunkBytes);
      // If not, it was rotated, compressed or removed just now: look again.
      if (this.#source !== undefined) return true;
    }
  }

  #skipTo(number: number): void {
    if (this.#position.segment > 0) this.#skipped += number - this.#position.segment;
    this.#position = { segment: number, offset: 0 };
  }

  async #openCurrent(number: number, offset: number): Promise<SegmentSource | undefined> {
    const source = await openPlain(this.#path, offset, this.#chunkBytes);
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
  /** undefined at the end, which may move. */
  read(): Promise<Buffer | undefined>;
  close(): Promise<void>;
}

async function openPlain(
  path: string,
  offset: number,
  sizeBytes: number,
): Promise<SegmentSource | undefined> {
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
    async read() {
      const buffer = Buffer.allocUnsafeSlow(sizeBytes);
      const { bytesRead } = await file.read(buffer, 0, sizeBytes, position);
      position += bytesRead;
      return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead);
    },
    close: () => file.close(),
  };
}

async function openCompressed(
  path: string,
  offset: number,
  sizeBytes: number,
): Promise<SegmentSource | undefined> {
  // Emptied, as only its number is needed any more.
  if (fileAt(path)?.sizeBytes === 0)
    return { inode: undefined, read: async () => undefined, close: async () => {} };
  const file = createReadStream(path, { highWaterMark: sizeBytes });
  try {
    await new Promise((resolve, reject) => file.once('open', resolve).once('error', reject));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const unpacked: Readable = file.pipe(createGunzip({ chunkSize: sizeBytes }));
  file.once('error', error => unpacked.destroy(error));
  const chunks = unpacked[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let toSkip = offset;
  return {
    inode: undefined,
    async read() {
      for (;;) {
        const { value, done } = await chunks.next();
        if (done === true) return undefined;
        const skipped = Math.min(toSkip, value.length);
        toSkip -= skipped;
        if (skipped < value.length) return value.subarray(skipped);
      }
    },
    async close() {
      unpacked.destroy();
      file.destroy();
    },
  };
}
