import { writeSync } from 'node:fs';
import { errnoOf } from '../../stdx/errors.ts';
import { ExitError } from '../errors.ts';

/**
 * stdout or stderr, written at once. Not process.stdout: making that stream costs a short command a millisecond, and
 * what is written here must be out before the program ends.
 */
export class Output {
  readonly #descriptor: number;
  readonly isTerminal: boolean;
  readonly #size: () => { rows: number; columns: number };

  constructor(
    descriptor: number,
    terminal: { isTerminal: boolean; size: () => { rows: number; columns: number } },
  ) {
    this.#descriptor = descriptor;
    this.isTerminal = terminal.isTerminal;
    this.#size = terminal.size;
  }

  get columns(): number {
    return this.size().columns;
  }

  size(): { rows: number; columns: number } {
    return this.#size();
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  /** @throws ExitError when nobody reads any more, with the status of a program that SIGPIPE has ended */
  write(data: string | Uint8Array): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    let offset = 0;
    while (offset < bytes.length) {
      try {
        offset += writeSync(this.#descriptor, bytes, offset);
      } catch (error) {
        if (errnoOf(error) === 'EPIPE') throw new ExitError(141);
        if (errnoOf(error) !== 'EAGAIN') throw error;
        // Somebody left the pipe or terminal non-blocking: wait for the reader.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
  }
}
