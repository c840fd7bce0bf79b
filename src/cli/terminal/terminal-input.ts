import type { Readable } from 'node:stream';

/** stdin, and the terminal behind it if there is one. The stream is made when first asked for. */
export interface TerminalInput {
  readonly isTerminal: boolean;
  stream(): Readable;
  /** Every key to us, none to the terminal's line discipline. A no-op when stdin is no terminal. */
  setRawMode(on: boolean): void;
  /** Every key to us as in raw mode, but what is written is shown as always. */
  setKeyMode(on: boolean): void;
}
