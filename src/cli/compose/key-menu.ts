import { styleText } from 'node:util';
import type { TerminalInput } from '../terminal/terminal-input.ts';
import type { LiveBlock } from './progress/live-block.ts';

export interface MenuActions {
  /** Whether files are watched now. */
  isWatching(): boolean;
  toggleWatch(): void;
  detach(): void;
  interrupt(): void;
}

const ctrlC = '\x03';

/** Shortcuts of a project that runs attached: a line at the bottom of the terminal that says what keys do. */
export class KeyMenu {
  readonly #input: TerminalInput;
  readonly #block: LiveBlock;
  readonly #actions: MenuActions;
  readonly #colour: boolean;
  #isShown = false;
  readonly #onData = (chunk: Buffer) => {
    for (const key of chunk.toString()) this.#press(key);
  };

  constructor(input: TerminalInput, block: LiveBlock, actions: MenuActions, { colour }: { colour: boolean }) {
    this.#input = input;
    this.#block = block;
    this.#actions = actions;
    this.#colour = colour;
  }

  open(): void {
    this.#input.setKeyMode(true);
    this.#input.stream().on('data', this.#onData);
    this.#isShown = true;
    this.#draw();
  }

  /** Keys still count: Ctrl-C comes as one. */
  hide(): void {
    if (this.#isShown) this.#block.show([]);
    this.#isShown = false;
  }

  close(): void {
    this.hide();
    this.#input.stream().off('data', this.#onData).pause();
    this.#input.setKeyMode(false);
  }

  #press(key: string): void {
    if (key === ctrlC) this.#actions.interrupt();
    else if (!this.#isShown) return;
    else if (key === 'w') this.#actions.toggleWatch();
    else if (key === 'd') this.#actions.detach();
    // As a terminal does that nobody reads: a line to tell what comes from what was.
    else if (key === '\r') this.#block.pass('\n');
    if (this.#isShown) this.#draw();
  }

  #draw(): void {
    const entries = [
      ['w', this.#actions.isWatching() ? 'Disable Watch' : 'Enable Watch'],
      ['d', 'Detach'],
    ] as const;
    const text = entries.map(([key, meaning]) => `${this.#paint(key)} ${meaning}`).join('   ');
    this.#block.show(['', ` ${text}`]);
  }

  #paint(key: string): string {
    return this.#colour ? styleText(['bold', 'inverse'], key, { validateStream: false }) : key;
  }
}
