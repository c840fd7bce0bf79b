/**
 * conmon's log, the CRI text format: one record a line, in the order of arrival.
 *
 *     2026-11-21T05:12:33.123456789+00:00 stdout F hello world\n
 *     |--------- time, RFC 3339 --------| |----| |
 *                                         stream `F`: the text is a whole line; `P`: the line goes on in the next
 *                                                record of the stream
 */
export interface CapturedEntry {
  readonly stream: 'stdout' | 'stderr';
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
  /** With its newline when the record is `F`. A view into the parsed buffer, made when asked for. */
  readonly text: Buffer;
  /** Of the text. */
  readonly sizeBytes: number;
  /** Whether the text ends with a newline. */
  readonly endsLine: boolean;
  /** Puts the text into a buffer without making one. @returns where it ends there */
  copyTo(into: Buffer, at: number): number;
}

const newline = 10;
const space = 32;
const fullTag = 0x46;
const letterE = 0x65;

/** @returns the records, and the beginning of one that is not complete yet. Lines that are no records are left out. */
export function parseLogLines(data: Buffer): { entries: CapturedEntry[]; rest: Buffer } {
  const entries: CapturedEntry[] = [];
  let start = 0;
  for (let end = data.indexOf(newline, start); end !== -1; end = data.indexOf(newline, start)) {
    const entry = parseLine(data, start, end);
    if (entry !== undefined) entries.push(entry);
    start = end + 1;
  }
  return { entries, rest: data.subarray(start) };
}

function parseLine(data: Buffer, start: number, end: number): CapturedEntry | undefined {
  const timeEnd = data.indexOf(space, start);
  // After the time: ` stdout F ` or ` stderr P `, ten bytes.
  const textStart = timeEnd + 10;
  if (timeEnd === -1 || textStart > end) return undefined;
  const stream = data[timeEnd + 4] === letterE ? 'stderr' : 'stdout';
  const full = data[timeEnd + 8] === fullTag;
  return new Entry(data, stream, start, textStart, full ? end + 1 : end);
}

/** Places in the parsed buffer: a log has half a million of these, and most readers ask for nothing but the bytes. */
class Entry implements CapturedEntry {
  readonly stream: 'stdout' | 'stderr';
  readonly #data: Buffer;
  readonly #start: number;
  readonly #textStart: number;
  readonly #end: number;

  constructor(data: Buffer, stream: 'stdout' | 'stderr', start: number, textStart: number, end: number) {
    this.#data = data;
    this.stream = stream;
    this.#start = start;
    this.#textStart = textStart;
    this.#end = end;
  }

  get text(): Buffer {
    return this.#data.subarray(this.#textStart, this.#end);
  }

  get sizeBytes(): number {
    return this.#end - this.#textStart;
  }

  get endsLine(): boolean {
    return this.#end > this.#textStart && this.#data[this.#end - 1] === newline;
  }

  copyTo(into: Buffer, at: number): number {
    return at + this.#data.copy(into, at, this.#textStart, this.#end);
  }

  get timeNs(): bigint {
    const text = this.#data.toString('latin1', this.#start, this.#textStart - 10);
    const [, seconds = '', fraction = '', zone = 'Z'] =
      /^([^.]+)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
    const wholeMs = Date.parse(seconds + zone);
    return (
      BigInt(Number.isNaN(wholeMs) ? 0 : wholeMs) * 1_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9))
    );
  }
}
