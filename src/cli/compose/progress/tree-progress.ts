import type { Output } from '../../output/output.ts';
import { drawTree, type TreeEntry } from './draw-tree.ts';
import type { LiveBlock } from './live-block.ts';
import type { Progress, ProgressEvent } from './progress.ts';

const redrawMs = 100;

/** Draws the tree in place on a terminal, until it ends; what else is said goes above it. */
export class TreeProgress implements Progress {
  readonly mode = 'tty';
  readonly #block: LiveBlock;
  readonly #title: string;
  readonly #colour: boolean;
  readonly #entries = new Map<string, TreeEntry>();
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(block: LiveBlock, title: string, { colour }: { colour: boolean }) {
    this.#block = block;
    this.#title = title;
    this.#colour = colour;
  }

  tell(event: ProgressEvent): void {
    if (this.#ended) return;
    const key = `${event.parent ?? ''}\n${event.id}`;
    const nowMs = Date.now();
    // The time of what is worked on again goes on.
    const startedMs = this.#entries.get(key)?.startedMs ?? nowMs;
    this.#entries.set(key, { ...event, startedMs, ...(event.state === 'working' ? {} : { endedMs: nowMs }) });
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#block.show(this.#draw(this.#block.size().rows)), redrawMs);
    this.#timer.unref();
    this.#block.show(this.#draw(this.#block.size().rows));
  }

  beside(output: Output): Output {
    return this.#block.beside(output);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#block.leave(this.#draw(Number.POSITIVE_INFINITY));
  }

  #draw(rows: number): string[] {
    const { columns } = this.#block.size();
    return drawTree(this.#title, [...this.#entries.values()], { rows, columns }, Date.now(), this.#colour);
  }
}
