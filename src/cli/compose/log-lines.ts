import { styleText } from 'node:util';
import type { Output } from '../output/output.ts';

const colours = ['cyan', 'yellow', 'green', 'magenta', 'blue'] as const;

export interface LogLinesOptions {
  prefix: boolean;
  colour: boolean;
}

/** Lines of many containers on one output, each with the name of its own in front. */
export class LogLines {
  readonly #out: Output;
  readonly #options: LogLinesOptions;
  readonly #names: string[];
  readonly #width: number;

  constructor(out: Output, names: readonly string[], options: LogLinesOptions) {
    this.#out = out;
    this.#options = options;
    this.#names = [...names];
    this.#width = Math.max(0, ...names.map(name => name.length));
  }

  /** What takes a container's output: whole lines go out, the rest waits for its end. */
  writer(name: string): LineWriter {
    const prefix = this.#prefix(name);
    return new LineWriter(line => this.#out.write(`${prefix}${line}\n`));
  }

  say(text: string): void {
    this.#out.line(text);
  }

  #prefix(name: string): string {
    if (!this.#options.prefix) return '';
    const text = `${name.padEnd(this.#width)}  | `;
    if (!this.#options.colour) return text;
    const colour = colours[this.#names.indexOf(name) % colours.length] ?? 'cyan';
    return styleText(colour, text, { validateStream: false });
  }
}

export class LineWriter {
  readonly #emit: (line: string) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(emit: (line: string) => void) {
    this.#emit = emit;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(10, from);
      if (end === -1) break;
      const line = Buffer.concat([this.#rest, chunk.subarray(from, end)]);
      this.#rest = Buffer.alloc(0);
      this.#emit(line.toString().replace(/\r$/, ''));
      from = end + 1;
    }
    this.#rest = Buffer.concat([this.#rest, chunk.subarray(from)]);
  }

  /** What was written without a line's end is a line as well. */
  end(): void {
    if (this.#rest.length > 0) this.#emit(this.#rest.toString());
    this.#rest = Buffer.alloc(0);
  }
}
