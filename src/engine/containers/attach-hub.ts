import type { AttachStream } from '../../runtime/attach.ts';
import { EngineError } from '../../stdx/errors.ts';

interface Pending {
  /** Whether the end of this client's input means anything to the container. */
  stdin: boolean;
  resolve(stream: AttachStream): void;
  reject(error: Error): void;
}

/**
 * Clients that attached to a container before it runs, as `docker run` does. Start connects them between the
 * creation of the process and its first instruction, so that they miss nothing.
 */
export class AttachHub {
  readonly #pending = new Map<string, Set<Pending>>();

  /** Settles when the container starts. An abort forgets the wish. */
  whenStarted(id: string, stdin: boolean, signal: AbortSignal): Promise<AttachStream> {
    return new Promise((resolve, reject) => {
      const pending: Pending = { stdin, resolve, reject };
      const waiting = this.#pending.get(id) ?? new Set();
      waiting.add(pending);
      this.#pending.set(id, waiting);
      signal.addEventListener('abort', () => {
        waiting.delete(pending);
        reject(new EngineError('cancelled', 'the client has gone'));
      });
    });
  }

  /** The process exists and waits to be let go. */
  connect(id: string, open: (stdin: boolean) => AttachStream): void {
    for (const pending of this.#take(id)) pending.resolve(open(pending.stdin));
  }

  /** The start failed, or the container is gone: nothing will ever come. */
  fail(id: string): void {
    const error = new EngineError('cancelled', 'the container was not started');
    for (const pending of this.#take(id)) pending.reject(error);
  }

  #take(id: string): Pending[] {
    const waiting = this.#pending.get(id);
    this.#pending.delete(id);
    return [...(waiting ?? [])];
  }
}
