import { Output } from '../../output/output.ts';

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';

/** Lines at the bottom of a terminal that are drawn anew in place; what else is said goes above them. */
export class LiveBlock {
  readonly #out: Output;
  /** Whatever ends the program, the cursor is seen again. */
  readonly #restore = () => this.#out.write(showCursor);
  /** A signal that nobody else has taken would end it without a word. */
  readonly #onSignal = (signal: NodeJS.Signals, number: number) => {
    // Who has taken it may have ended the block meanwhile: this is not among the listeners then.
    const listeners: readonly unknown[] = process.listeners(signal);
    if (listeners.every(listener => listener === this.#onSignal)) process.exit(128 + number);
  };
  #lines: readonly string[] = [];
  #drawnCount = 0;
  /** Whoever writes above left a line without its end: the block waits for it. */
  #openLine = false;

  constructor(out: Output) {
    this.#out = out;
  }

  size(): { rows: number; columns: number } {
    return this.#out.size();
  }

  /** Draws these lines in place of those before. */
  show(lines: readonly string[]): void {
    if (this.#lines.length === 0 && lines.length > 0) {
      process.once('exit', this.#restore);
      process.on('SIGINT', this.#onSignal).on('SIGTERM', this.#onSignal);
      this.#out.write(hideCursor);
    }
    const wasShown = this.#lines.length > 0;
    this.#lines = lines;
    if (!this.#openLine) this.#draw();
    if (wasShown && lines.length === 0) {
      process.off('exit', this.#restore);
      process.off('SIGINT', this.#onSignal).off('SIGTERM', this.#onSignal);
      this.#out.write(showCursor);
    }
  }

  /** Leaves these lines where the block was, for good; there is no block any more. */
  leave(lines: readonly string[]): void {
    this.show([]);
    if (this.#openLine) this.#out.write('\n');
    this.#openLine = false;
    for (const line of lines) this.#out.line(line);
  }

  /** Writes this above the block. */
  pass(text: string): void {
    this.#besides(() => {
      this.#out.write(text);
      return !text.endsWith('\n');
    });
  }

  /** An output on the same terminal for which the block makes room. */
  beside(output: Output): Output {
    return output.isTerminal ? new BesideOutput(output, write => this.#besides(write)) : output;
  }

  #besides(write: () => boolean): void {
    this.#erase();
    this.#openLine = write();
    if (!this.#openLine) this.#draw();
  }

  #draw(): void {
    // In one write, or it flickers.
    const back = this.#drawnCount > 0 ? `\x1b[${this.#drawnCount}A\r\x1b[J` : '';
    const text = this.#lines.map(line => `${line}\n`).join('');
    if (back !== '' || text !== '') this.#out.write(back + text);
    this.#drawnCount = this.#lines.length;
  }

  #erase(): void {
    if (this.#drawnCount > 0) this.#out.write(`\x1b[${this.#drawnCount}A\r\x1b[J`);
    this.#drawnCount = 0;
  }
}

class BesideOutput extends Output {
  readonly #output: Output;
  readonly #besides: (write: () => boolean) => void;

  constructor(output: Output, besides: (write: () => boolean) => void) {
    super(-1, { isTerminal: true, size: () => output.size() });
    this.#output = output;
    this.#besides = besides;
  }

  override write(data: string | Uint8Array): void {
    this.#besides(() => {
      this.#output.write(data);
      return !(typeof data === 'string' ? data.endsWith('\n') : data.at(-1) === 10);
    });
  }
}
