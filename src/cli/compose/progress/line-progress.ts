import type { Output } from '../../output/output.ts';
import type { Progress, ProgressEvent } from './progress.ts';

/** A line for each change, without those that only count. */
export class LineProgress implements Progress {
  readonly mode: 'plain' | 'json';
  readonly #out: Output;
  readonly #dryRun: boolean;
  readonly #told = new Map<string, string>();

  /** @param dryRun every line says that it is not done */
  constructor(out: Output, mode: 'plain' | 'json', dryRun = false) {
    this.#out = out;
    this.#dryRun = dryRun;
    this.mode = mode;
  }

  tell(event: ProgressEvent): void {
    const { id, parent, status } = event;
    const key = `${parent ?? ''}\n${id}`;
    if (this.#told.get(key) === status) return;
    this.#told.set(key, status);
    const mode = this.#dryRun ? ' DRY-RUN MODE - ' : '';
    if (this.mode === 'plain') this.#out.line(`${mode} ${parent === undefined ? '' : ' '}${id}  ${status}`);
    else
      this.#out.line(
        JSON.stringify({
          ...(this.#dryRun ? { 'dry-run': true } : {}),
          id,
          ...(parent === undefined ? {} : { parent_id: parent }),
          status,
        }),
      );
  }

  beside(output: Output): Output {
    return output;
  }

  end(): void {}
}

/** Nothing at all. */
export class NoProgress implements Progress {
  readonly mode = 'quiet';

  tell(): void {}

  beside(output: Output): Output {
    return output;
  }

  end(): void {}
}
