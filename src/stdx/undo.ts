import type { Log } from './log.ts';

/**
 * The way back from half-done work: every step that changed the world pushes what takes it back. On failure `run`
 * goes backwards through all of them; one that fails is logged and does not stop the others.
 */
export class Undo {
  readonly #steps: { what: string; undo: () => Promise<void> | void }[] = [];

  push(what: string, undo: () => Promise<void> | void): void {
    this.#steps.push({ what, undo });
  }

  async run(log: Log): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        await step.undo();
      } catch (error) {
        log.error({ err: error, step: step.what }, 'undoing a step failed');
      }
    }
  }
}
