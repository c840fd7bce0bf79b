import type { ProgressMessage } from '../api/images.ts';
import { EngineError, messageOf } from '../stdx/errors.ts';
import type { Call } from './call.ts';
import { progressBar } from './convert/progress-bar.ts';

/** What the engine reports of a pull, push, load or build step. */
interface Progress {
  id?: string;
  status: string;
  currentBytes?: number;
  totalBytes?: number;
  aux?: object;
}

/**
 * The answer of a long-running request: JSON objects, one a line, as they happen (jsonmessage). The status line goes
 * out with the first of them, so that what fails at once is a plain error; what fails later is the stream's last line.
 */
export class ProgressStream {
  readonly #call: Call;

  constructor(call: Call) {
    this.#call = call;
  }

  send(message: ProgressMessage): void {
    const { response } = this.#call;
    if (response.destroyed) return;
    this.open();
    response.write(`${JSON.stringify(message)}\r\n`);
  }

  /** Bound, to be handed to the engine. */
  readonly progress = (event: Progress): void => this.send(progressMessage(event));

  /** From now on the status is 200, and what fails is told in the stream. */
  open(): void {
    const { response } = this.#call;
    if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'application/json' });
  }

  /** Runs what reports to this stream and ends it. */
  async carry(work: () => Promise<void>): Promise<void> {
    const { response } = this.#call;
    try {
      await work();
    } catch (error) {
      if (!response.headersSent) throw error;
      this.send(errorMessage(error));
    }
    this.open();
    response.end();
  }
}

/** moby's streamformatter: lines of bars have progressDetail, even an empty one; plain messages have none. */
export function progressMessage(event: Progress): ProgressMessage {
  const { id, status, currentBytes, totalBytes, aux } = event;
  if (aux !== undefined) return { progressDetail: {}, aux };
  if (currentBytes !== undefined) {
    const bar = progressBar(currentBytes, totalBytes ?? 0);
    return {
      status,
      progressDetail: { current: currentBytes, ...(totalBytes ? { total: totalBytes } : {}) },
      ...(bar === '' ? {} : { progress: bar }),
      ...(id === undefined ? {} : { id }),
    };
  }
  if (id !== undefined && isLayerId(id)) return { status, progressDetail: {}, id };
  return { status, ...(id === undefined ? {} : { id }) };
}

/** Docker's client prints the detail's message, which is dockerd's; `error` may go on, with a build's excerpt. */
function errorMessage(error: unknown): ProgressMessage {
  const code = error instanceof EngineError ? exitCodeOf(error) : undefined;
  const errorDetail = { ...(code === undefined ? {} : { code }), message: bareMessageOf(error) };
  return { errorDetail, error: messageOf(error) };
}

/** build's DockerfileError has an excerpt of the Dockerfile behind its message. */
export function bareMessageOf(error: unknown): string {
  const { bare } = error as { bare?: unknown };
  return error instanceof EngineError && typeof bare === 'string' ? bare : messageOf(error);
}

/** build's RunFailed carries the exit code of the command that failed; `docker build` exits with it. */
function exitCodeOf(error: EngineError): number | undefined {
  const { exitCode } = error as { exitCode?: unknown };
  return typeof exitCode === 'number' ? exitCode : undefined;
}

/** Bars are labelled with the short id of a layer; the other label there is, is a tag. */
function isLayerId(id: string): boolean {
  return /^[0-9a-f]{12}$/.test(id);
}
