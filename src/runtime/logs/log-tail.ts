import { type FileHandle, open, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { errnoOf } from '../../stdx/errors.ts';
import { type LogRecords, parseLogRecords } from './log-format.ts';
import { type LogPosition, type LogSegment, listSegments, oldestPosition } from './log-segments.ts';

const firstWindowBytes = 1 << 16;

/** Where the last `lines` lines of a captured log begin; what comes after the call comes after the place, too. */
export async function positionOfTail(path: string, lines: number): Promise<LogPosition> {
  for (;;) {
    const { rotated, currentNumber } = listSegments(path);
    let missing = lines;
    const segments: LogSegment[] = [
      ...rotated,
      { number: currentNumber, plain: path, compressed: undefined },
    ];
    let found: LogPosition | undefined;
    for (const segment of segments.reverse()) {
      const { offset, lines: seen } = await tailOf(segment, missing);
      missing -= seen;
      if (offset === undefined) continue;
      found = { segment: segment.number, offset };
      break;
    }
    // After a rotation in between the numbers would be wrong.
    if (listSegments(path).currentNumber === currentNumber) return found ?? { ...oldestPosition };
  }
}

interface Tail {
  /** Where the wanted lines begin; undefined when there are fewer. */
  offset: number | undefined;
  /** How many there are, when there are fewer. */
  lines: number;
}

async function tailOf(segment: LogSegment, lines: number): Promise<Tail> {
  try {
    if (segment.plain !== undefined) return await tailOfPlain(segment.plain, lines);
    const packed = await readFile(segment.compressed!);
    const text = packed.length === 0 ? packed : await promisify(gunzip)(packed);
    const { records, sizeBytes } = parseLogRecords(text);
    const first = indexOfTail(records, lines);
    if (first === undefined) return { offset: undefined, lines: countLines(records) };
    return { offset: first === records.length ? sizeBytes : records.start(first), lines };
  } catch (error) {
    // Removed meanwhile, or not there yet.
    if (errnoOf(error) === 'ENOENT') return { offset: undefined, lines: 0 };
    throw error;
  }
}

/** Looks at larger and larger ends of the file. */
async function tailOfPlain(path: string, lines: number): Promise<Tail> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    for (let windowBytes = firstWindowBytes; ; windowBytes *= 4) {
      const start = Math.max(0, size - windowBytes);
      const window = await readAt(file, start, size - start);
      const skipped = start === 0 ? 0 : window.indexOf(10) + 1;
      const { records, sizeBytes } = parseLogRecords(window.subarray(skipped));
      const first = indexOfTail(records, lines);
      if (first !== undefined) {
        const place = first === records.length ? sizeBytes : records.start(first);
        return { offset: start + skipped + place, lines };
      }
      if (start === 0) return { offset: undefined, lines: countLines(records) };
    }
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, start: number, sizeBytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(sizeBytes);
  const { bytesRead } = await file.read(buffer, 0, sizeBytes, start);
  return buffer.subarray(0, bytesRead);
}

/** Where the last `lines` lines begin; undefined when there are fewer. The beginning of a line is one as well. */
function indexOfTail(records: LogRecords, lines: number): number | undefined {
  if (lines <= 0) return records.length;
  let seen = 0;
  for (let index = records.length - 1; index >= 0; index--) {
    const ends = records.endsLine(index);
    if (ends && seen === lines) return index + 1;
    if (ends || seen === 0) seen++;
  }
  return undefined;
}

function countLines(records: LogRecords): number {
  let lines = 0;
  for (let index = 0; index < records.length; index++) if (records.endsLine(index)) lines++;
  return lines;
}
