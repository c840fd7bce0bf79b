import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../../stdx/errors.ts';

/**
 * The captured log of one container is a row of files:
 *
 *     log.000001.gz   the oldest; compressed
 *     log.000002      rotated away; complete as soon as there is a newer one
 *     log             the one the monitor writes; its number is one more than the last one's
 *
 * A file keeps its number for ever, so that a number and an offset name a place in the log for good. The last
 * rotated file is never removed, only emptied, as the next number comes from it.
 */
export interface LogSegment {
  readonly number: number;
  /** undefined: only the compressed form is there. */
  readonly plain: string | undefined;
  readonly compressed: string | undefined;
}

export interface LogSegments {
  /** Oldest first. */
  readonly rotated: readonly LogSegment[];
  /** Number of `log`. */
  readonly currentNumber: number;
  /** Not between its being renamed and the monitor's making a new one. */
  readonly hasCurrent: boolean;
}

/** A place in a captured log: bytes of the uncompressed segment, always at the start of a record. */
export interface LogPosition {
  segment: number;
  offset: number;
}

/** Before everything that is there. */
export const oldestPosition: Readonly<LogPosition> = { segment: Number.MIN_SAFE_INTEGER, offset: 0 };

export function listSegments(logPath: string): LogSegments {
  const directory = dirname(logPath);
  const name = basename(logPath);
  const found = new Map<number, { plain?: string; compressed?: string }>();
  let hasCurrent = false;
  for (const entry of namesIn(directory)) {
    if (entry === name) hasCurrent = true;
    const match = entry.startsWith(`${name}.`) ? /^(\d+)(\.gz)?$/.exec(entry.slice(name.length + 1)) : null;
    if (match === null) continue;
    // Short numbers are of versions that counted the other way round, from the newest.
    const number = match[1]!.length < numberDigits ? -Number(match[1]) : Number(match[1]);
    const forms = found.get(number) ?? {};
    forms[match[2] === undefined ? 'plain' : 'compressed'] = join(directory, entry);
    found.set(number, forms);
  }
  const rotated = [...found]
    .sort(([a], [b]) => a - b)
    .map(([number, { plain, compressed }]) => ({ number, plain, compressed }));
  return { rotated, currentNumber: Math.max(0, rotated.at(-1)?.number ?? 0) + 1, hasCurrent };
}

export function segmentPath(logPath: string, number: number): string {
  return `${logPath}.${String(number).padStart(numberDigits, '0')}`;
}

/** Size and identity of a file; undefined when it is not there. */
export function fileAt(path: string): { sizeBytes: number; inode: number } | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? undefined : { sizeBytes: stat.size, inode: stat.ino };
}

const numberDigits = 6;

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
