import type { ProgressMessage } from '../../api/images.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Output } from './output.ts';
import { humanSize } from './units.ts';

/**
 * Shows a stream of progress messages: on a terminal one line per id, redrawn in place with a bar; elsewhere plain
 * lines, without those that only count bytes.
 */
export class ProgressDisplay {
  readonly #out: Output;
  readonly #quiet: boolean;
  readonly #onAux: (aux: unknown) => void;
  /** The line each id has, counted from the first one. */
  readonly #lines = new Map<string, number>();

  constructor(
    out: Output,
    { quiet = false, onAux = () => {} }: { quiet?: boolean; onAux?: (aux: unknown) => void } = {},
  ) {
    this.#out = out;
    this.#quiet = quiet;
    this.#onAux = onAux;
  }

  /** @throws the error a message carries */
  show(message: ProgressMessage): void {
    const fault = message.error ?? message.errorDetail?.message;
    if (fault !== undefined) throw new StreamError(fault, message.errorDetail?.code);
    if (message.aux !== undefined) {
      this.#onAux(message.aux);
      return;
    }
    if (this.#quiet) return;
    if (this.#out.isTerminal) this.#out.write(this.#redraw(message));
    else this.#showPlain(message);
  }

  #showPlain(message: ProgressMessage): void {
    if (drawProgress(message, 80) !== '') return;
    if (message.stream !== undefined) this.#out.write(prefix(message) + message.stream);
    else this.#out.line(prefix(message) + (message.status ?? ''));
  }

  #redraw(message: ProgressMessage): string {
    const { id, progressDetail, stream } = message;
    if (stream !== undefined) return prefix(message) + stream;
    const moves = id !== undefined && id !== '' && progressDetail !== undefined;
    if (!moves) {
      // Ids that come back after a line of their own start a new block.
      this.#lines.clear();
      return `${prefix(message)}${message.status ?? ''}\n`;
    }
    let text = '';
    if (!this.#lines.has(id)) {
      this.#lines.set(id, this.#lines.size);
      text = '\n';
    }
    const up = this.#lines.size - this.#lines.get(id)!;
    const bar = drawProgress(message, this.#out.columns);
    return `${text}\x1b[${up}A\x1b[2K\r${prefix(message)}${message.status ?? ''} ${bar}\r\x1b[${up}B`;
  }
}

/** What a daemon reported within a stream that had begun well. */
export class StreamError extends EngineError {
  /** Of the build step that failed, if it says. */
  readonly code: number | undefined;

  constructor(message: string, code?: number) {
    super('internal', message);
    this.code = code;
  }
}

function prefix({ id, from }: ProgressMessage): string {
  return (id ? `${id}: ` : '') + (from ? `(from ${from}) ` : '');
}

function drawProgress({ progressDetail, progress }: ProgressMessage, columns: number): string {
  const { current = 0, total = 0, hidecounts, units } = progressDetail ?? {};
  if (current <= 0 && total <= 0) return progressDetail === undefined ? (progress ?? '') : '';
  const size = (value: number) => (units ? `${value} ${units}` : humanSize(value));
  if (total <= 0) return size(current).padStart(8);
  const filled = Math.min(50, Math.trunc(((current / total) * 100) / 2));
  const bar = columns > 110 ? `[${'='.repeat(filled)}>${' '.repeat(50 - filled)}] ` : '';
  if (hidecounts) return bar;
  return bar + (current > total ? size(current).padStart(8) : `${size(current).padStart(8)}/${size(total)}`);
}
