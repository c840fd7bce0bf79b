import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { errnoOf } from '../../stdx/errors.ts';
import type { LogPosition } from './log-segments.ts';

/**
 * Up to where a sink has delivered a captured log: a file of a fixed length beside it, written over in one go after
 * every delivery. That is no more than a write to the page cache; it outlives the daemon, not a power cut.
 */
export interface SinkPosition {
  /** Everything before it is delivered, and nothing before it is needed to read on from it. */
  settled: LogPosition;
  /** Messages behind it that are delivered, too. */
  delivered: number;
  /** What the sink wants to know when it goes on. */
  state: Readonly<Record<string, number>> | undefined;
}

const fileBytes = 256;

/** @returns undefined when nothing was ever delivered, or the file is damaged */
export function readSinkPosition(path: string): SinkPosition | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as SinkPosition;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export class SinkPositionFile {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  }

  write(position: SinkPosition): void {
    writeSync(this.#fd, JSON.stringify(position).padEnd(fileBytes), 0, 'latin1');
  }

  close(): void {
    closeSync(this.#fd);
  }
}
