import { type LogRecords, type LogStream, parseRecordTime } from './log-format.ts';
import type { LogPosition } from './log-segments.ts';

/** One line, or one piece of a line that is too long for its receiver, as log drivers pass it on. */
export interface LogMessage {
  readonly stream: LogStream;
  /** As the monitor wrote it; see timeNsOf and utcTime. */
  readonly time: string;
  /** Without its newline. */
  readonly line: Buffer;
  /** A piece of a longer line. */
  readonly partial: { id: number; ordinal: number; last: boolean } | undefined;
  /** Behind its last record. */
  readonly end: LogPosition;
  /** Whether nothing before `end` is left over: reading can begin again there. */
  readonly settled: boolean;
}

/** What Docker's reader holds at most of a line. */
export const usualLineBytes = 16 << 10;
/**
 * How much may follow the beginning of a line before it is passed on as it is: a prompt that nobody answers must not
 * hold back the place up to which everything is delivered.
 */
const longestWaitBytes = 256 << 10;

/** Puts the records of a captured log together to lines again. The same bytes give the same messages, always. */
export class LineAssembler {
  readonly #lineBytes: number;
  readonly #held: Record<LogStream, HeldLine> = { stdout: new HeldLine(), stderr: new HeldLine() };
  #nextId = 1;

  constructor(lineBytes = usualLineBytes) {
    this.#lineBytes = lineBytes;
  }

  /** @param from where the records' bytes begin */
  push(records: LogRecords, from: LogPosition, into: LogMessage[]): void {
    for (let index = 0; index < records.length; index++) {
      const stream = records.stream(index);
      const held = this.#held[stream];
      const endsLine = records.endsLine(index);
      const textEnd = records.textEnd(index);
      // A record ends with a newline in the file, whether its text does or not.
      const end = { segment: from.segment, offset: from.offset + (endsLine ? textEnd : textEnd + 1) };
      const text = records.data.subarray(records.textStart(index), endsLine ? textEnd - 1 : textEnd);
      const time = records.timeText(index);
      if (endsLine && held.isEmpty && text.length <= this.#lineBytes) {
        const settled = this.#other(stream).isEmpty;
        into.push({ stream, time, line: text, partial: undefined, end, settled });
      } else {
        this.#pushPart(stream, time, text, endsLine, end, into);
      }
      this.#releaseForgotten(end, into);
    }
  }

  /** The container writes no more: what began is all there is. */
  flush(end: LogPosition, into: LogMessage[]): void {
    for (const stream of ['stdout', 'stderr'] as const) this.#release(stream, end, into);
  }

  #pushPart(
    stream: LogStream,
    time: string,
    text: Buffer,
    endsLine: boolean,
    end: LogPosition,
    into: LogMessage[],
  ): void {
    const held = this.#held[stream];
    if (held.isEmpty) held.begin(time, end);
    held.add(text);
    while (held.sizeBytes > this.#lineBytes || (held.sizeBytes === this.#lineBytes && !endsLine)) {
      const line = held.take(this.#lineBytes);
      into.push(
        this.#message(stream, line, this.#partOf(held, false), end, held.sizeBytes === 0 && !endsLine),
      );
    }
    if (!endsLine) return;
    const line = held.take(held.sizeBytes);
    const partial = held.ordinal === 0 ? undefined : this.#partOf(held, true);
    into.push(this.#message(stream, line, partial, end, true));
    held.clear();
  }

  #partOf(held: HeldLine, last: boolean): LogMessage['partial'] {
    if (held.ordinal === 0) held.id = this.#nextId++;
    return { id: held.id, ordinal: ++held.ordinal, last };
  }

  #message(
    stream: LogStream,
    line: Buffer,
    partial: LogMessage['partial'],
    end: LogPosition,
    isEnd: boolean,
  ): LogMessage {
    const settled = isEnd && this.#other(stream).isEmpty;
    return { stream, time: this.#held[stream].time, line, partial, end, settled };
  }

  #releaseForgotten(end: LogPosition, into: LogMessage[]): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const { isEmpty, since } = this.#held[stream];
      if (isEmpty) continue;
      if (since.segment === end.segment && end.offset - since.offset <= longestWaitBytes) continue;
      this.#release(stream, end, into);
    }
  }

  #release(stream: LogStream, end: LogPosition, into: LogMessage[]): void {
    const held = this.#held[stream];
    if (held.isEmpty) return;
    if (held.sizeBytes > 0) {
      const line = held.take(held.sizeBytes);
      into.push(this.#message(stream, line, this.#partOf(held, false), end, true));
    }
    held.clear();
  }

  #other(stream: LogStream): HeldLine {
    return this.#held[stream === 'stdout' ? 'stderr' : 'stdout'];
  }
}

/** The beginning of a line whose end has not come. */
class HeldLine {
  time = '';
  since: LogPosition = { segment: 0, offset: 0 };
  id = 0;
  ordinal = 0;
  sizeBytes = 0;
  isEmpty = true;
  #parts: Buffer[] = [];

  begin(time: string, since: LogPosition): void {
    this.time = time;
    this.since = since;
    this.isEmpty = false;
  }

  add(part: Buffer): void {
    this.#parts.push(part);
    this.sizeBytes += part.length;
  }

  take(sizeBytes: number): Buffer {
    const all = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [all.subarray(sizeBytes)];
    this.sizeBytes = all.length - sizeBytes;
    return all.subarray(0, sizeBytes);
  }

  clear(): void {
    this.#parts = [];
    this.sizeBytes = 0;
    this.id = 0;
    this.ordinal = 0;
    this.isEmpty = true;
  }
}

/** Nanoseconds since the epoch. */
export function timeNsOf(message: LogMessage): bigint {
  return parseRecordTime(message.time);
}

/** RFC 3339 in UTC with as many digits as needed, as Go's RFC3339Nano. */
export function utcTime(message: LogMessage): string {
  const { time } = message;
  if (time.length === 35 && time.endsWith('+00:00')) {
    let end = 29;
    while (time.charCodeAt(end - 1) === 0x30) end--;
    if (time.charCodeAt(end - 1) === 0x2e) end--;
    return `${time.slice(0, end)}Z`;
  }
  const ns = timeNsOf(message);
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = String(ns % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}Z`;
}
