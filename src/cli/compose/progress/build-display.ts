import { stripVTControlCharacters } from 'node:util';
import { QuietDisplay } from '../../buildkit/raw-display.ts';
import type { Display } from '../../buildkit/solve.ts';
import { BuildStatus } from '../../buildkit/status.ts';
import type { Progress } from './progress.ts';

/**
 * How a service's build is shown: in the tree as parts of the service, as lines by the builder's own display
 * (undefined), or not at all.
 */
export function buildDisplay(progress: Progress, service: string, quiet: boolean): Display | undefined {
  if (quiet) return new QuietDisplay();
  if (progress.mode === 'plain') return undefined;
  return progress.mode === 'tty' ? new TreeDisplay(progress, service) : new QuietDisplay();
}

class TreeDisplay implements Display {
  readonly status = new BuildStatus();
  readonly #progress: Progress;
  readonly #service: string;

  constructor(progress: Progress, service: string) {
    this.#progress = progress;
    this.#service = service;
  }

  add(message: Parameters<Display['add']>[0]): void {
    for (const vertex of this.status.add(message)) {
      const failed = vertex.error !== '';
      const last = vertex.lines.splice(0).at(-1) ?? vertex.lastLines.at(-1) ?? '';
      // Without the seconds before it.
      const said = stripVTControlCharacters(last.slice(last.indexOf(' ') + 1)).replaceAll('\t', ' ');
      this.#progress.tell({
        id: vertex.name,
        parent: this.#service,
        status: failed ? 'ERROR' : vertex.cached ? 'CACHED' : said,
        state: failed ? 'failed' : vertex.completedMs === undefined ? 'working' : 'done',
      });
    }
  }

  end(): void {}
}
