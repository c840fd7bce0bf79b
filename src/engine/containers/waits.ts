import { EngineError } from '../../stdx/errors.ts';
import type { ContainerRecord, WaitCondition, WaitResult } from './container.ts';

interface Waiter {
  condition: WaitCondition;
  resolve(result: WaitResult): void;
}

/** Who waits for which container to end. In memory only: a client whose daemon died asks again. */
export class Waits {
  readonly #waiters = new Map<string, Set<Waiter>>();

  /** Answers at once for a `not-running` container that does not run. */
  wait(record: ContainerRecord, condition: WaitCondition, signal?: AbortSignal): Promise<WaitResult> {
    if (condition === 'not-running' && !isUp(record)) return Promise.resolve(resultOf(record));
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { condition, resolve };
      const waiters = this.#waiters.get(record.id) ?? new Set();
      waiters.add(waiter);
      this.#waiters.set(record.id, waiters);
      signal?.addEventListener('abort', () => {
        this.#forget(record.id, waiter);
        reject(new EngineError('cancelled', 'the client has gone'));
      });
    });
  }

  exited(record: ContainerRecord): void {
    this.#settle(record, waiter => waiter.condition !== 'removed');
  }

  removed(record: ContainerRecord): void {
    this.#settle(record, () => true);
  }

  #settle(record: ContainerRecord, applies: (waiter: Waiter) => boolean): void {
    for (const waiter of [...(this.#waiters.get(record.id) ?? [])].filter(applies)) {
      this.#forget(record.id, waiter);
      waiter.resolve(resultOf(record));
    }
  }

  #forget(id: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(id);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiters.delete(id);
  }
}

function isUp(record: ContainerRecord): boolean {
  return ['running', 'paused', 'restarting'].includes(record.state.status);
}

function resultOf(record: ContainerRecord): WaitResult {
  return { exitCode: record.state.exitCode };
}
