/**
 * conmon's log, the CRI text format: one record a line, in the order of arrival.
 *
 *     2026-11-21T05:12:33.123456789+00:00 stdout F hello world\n
 *     |--------- time, RFC 3339 --------| |----| |
 *                                         stream `F`: the text is a whole line; `P`: the line goes on in the next
 *                                                record of the stream
 */
export type LogStream = 'stdout' | 'stderr';

const newline = 10;
const space = 32;
const fullTag = 0x46;
const letterE = 0x65;
/** How long the time is as conmon writes it. */
const usualTimeBytes = 35;
/** ` stdout F `, with both blanks. */
const betweenBytes = 10;

/** `2026-11-21T05:12:33Z stdout F `, and the newline. */
const shortestRecordBytes = 31;

const numbersPerRecord = 3;
const stderrFlag = 1;
const fullFlag = 2;

/**
 * Records of a piece of log: places in its bytes and no object for each, as a log has half a million of them and most
 * readers want nothing but the text.
 */
export class LogRecords {
  readonly data: Buffer;
  /** For each record: where its text starts; where it ends, newline included if it has one; flags. */
  readonly #places: Uint32Array;
  readonly #starts: Uint32Array;
  readonly length: number;

  constructor(data: Buffer, places: Uint32Array, starts: Uint32Array, length: number) {
    this.data = data;
    this.#places = places;
    this.#starts = starts;
    this.length = length;
  }

  /** Where the record starts, with its time. */
  start(index: number): number {
    return this.#starts[index]!;
  }

  textStart(index: number): number {
    return this.#places[index * numbersPerRecord]!;
  }

  /** Behind the text, of which the newline of a whole line is a part. */
  textEnd(index: number): number {
    return this.#places[index * numbersPerRecord + 1]!;
  }

  text(index: number): Buffer {
    return this.data.subarray(this.textStart(index), this.textEnd(index));
  }

  isStderr(index: number): boolean {
    return (this.#places[index * numbersPerRecord + 2]! & stderrFlag) !== 0;
  }

  stream(index: number): LogStream {
    return this.isStderr(index) ? 'stderr' : 'stdout';
  }

  /** Whether the text ends its line. */
  endsLine(index: number): boolean {
    return (this.#places[index * numbersPerRecord + 2]! & fullFlag) !== 0;
  }

  /** As written: RFC 3339 with the host's offset. */
  timeText(index: number): string {
    return this.data.toString('latin1', this.start(index), this.textStart(index) - betweenBytes);
  }

  /** Nanoseconds since the epoch. */
  timeNs(index: number): bigint {
    return parseRecordTime(this.timeText(index));
  }

  /** The same in memory of their own. */
  copy(): LogRecords {
    const places = this.#places.slice(0, this.length * numbersPerRecord);
    return new LogRecords(Buffer.from(this.data), places, this.#starts.slice(0, this.length), this.length);
  }

  /** Those for which `keeps` is true, in the same bytes. */
  filter(keeps: (index: number) => boolean): LogRecords {
    const places = new Uint32Array(this.length * numbersPerRecord);
    const starts = new Uint32Array(this.length);
    let count = 0;
    for (let index = 0; index < this.length; index++) {
      if (!keeps(index)) continue;
      const from = index * numbersPerRecord;
      places.set(this.#places.subarray(from, from + numbersPerRecord), count * numbersPerRecord);
      starts[count++] = this.#starts[index]!;
    }
    return new LogRecords(this.data, places, starts, count);
  }
}

/** Room for the places of records, for readers that need those of one piece at a time. */
export class RecordMemory {
  places = new Uint32Array(0);
  starts = new Uint32Array(0);

  makeRoom(records: number): void {
    if (this.starts.length >= records) return;
    this.places = new Uint32Array(records * numbersPerRecord);
    this.starts = new Uint32Array(records);
  }
}

/**
 * @param memory is in use by the records that are returned
 * @returns the records, and how many bytes they take: what follows is the beginning of one that is not complete.
 * Lines that are no records are left out.
 */
export function parseLogRecords(
  data: Buffer,
  memory = new RecordMemory(),
): { records: LogRecords; sizeBytes: number } {
  memory.makeRoom(Math.ceil(data.length / shortestRecordBytes) + 1);
  const { places, starts } = memory;
  let count = 0;
  let start = 0;
  for (let end = data.indexOf(newline); end !== -1; end = data.indexOf(newline, start)) {
    const timeEnd =
      data[start + usualTimeBytes] === space ? start + usualTimeBytes : data.indexOf(space, start);
    const textStart = timeEnd + betweenBytes;
    if (timeEnd - start >= shortestRecordBytes - betweenBytes - 1 && textStart <= end) {
      const full = data[timeEnd + 8] === fullTag;
      const at = count * numbersPerRecord;
      places[at] = textStart;
      places[at + 1] = full ? end + 1 : end;
      places[at + 2] = (data[timeEnd + 4] === letterE ? stderrFlag : 0) | (full ? fullFlag : 0);
      starts[count++] = start;
    }
    start = end + 1;
  }
  return { records: new LogRecords(data, places, starts, count), sizeBytes: start };
}

/** @returns nanoseconds since the epoch; 0 for what is no time. */
export function parseRecordTime(text: string): bigint {
  const [, seconds = '', fraction = '', zone = 'Z'] =
    /^([^.]+)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const wholeMs = Date.parse(seconds + zone);
  return (
    BigInt(Number.isNaN(wholeMs) ? 0 : wholeMs) * 1_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9))
  );
}
