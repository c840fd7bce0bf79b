import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../stdx/errors.ts';
import type { ExecRecord } from '../engine.ts';

/** How long a finished one can still be asked for, as in dockerd (daemon/exec.go, execCommandGC). */
const keptAfterEndMs = 5 * 60_000;

/** Commands run inside containers. In memory; those that run are taken on by the next daemon. */
export class ExecStore {
  readonly #byId = new Map<string, ExecRecord>();
  /** Of those that were not started yet and are waited for. */
  readonly #starts = new Map<string, PromiseWithResolvers<void>>();

  add(record: ExecRecord): void {
    this.#byId.set(record.id, record);
  }

  /** @throws notFound */
  get(id: string): ExecRecord {
    const exact = this.#byId.get(id);
    if (exact !== undefined) return exact;
    const matches = [...this.#byId.keys()].filter(candidate => candidate.startsWith(id));
    if (id === '' || matches.length !== 1) throw new EngineError('notFound', `No such exec instance: ${id}`);
    return this.#byId.get(matches[0]!)!;
  }

  /** Those that run or were not started yet. */
  idsOf(containerId: string): string[] {
    return [...this.#byId.values()]
      .filter(record => record.containerId === containerId && record.exitCode === null)
      .map(record => record.id);
  }

  /** It runs. */
  started({ id }: ExecRecord): void {
    this.#starts.get(id)?.resolve();
    this.#starts.delete(id);
  }

  /** Settles when it runs, or has ended. @throws internal, in Docker's words, when it does not start in time */
  async whenStarted(record: ExecRecord, withinMs: number): Promise<void> {
    if (record.pid !== 0 || record.exitCode !== null) return;
    const start = this.#starts.get(record.id) ?? Promise.withResolvers<void>();
    this.#starts.set(record.id, start);
    const late = new AbortController();
    const timeout = sleep(withinMs, undefined, { signal: late.signal, ref: false }).then(
      () => {
        throw new EngineError('internal', 'timeout waiting for exec session ready');
      },
      () => {},
    );
    try {
      await Promise.race([start.promise, timeout]);
    } finally {
      late.abort();
    }
  }

  ended(record: ExecRecord, exitCode: number): void {
    this.started(record);
    record.running = false;
    record.exitCode = exitCode;
    setTimeout(() => this.#byId.delete(record.id), keptAfterEndMs).unref();
  }

  /** The container has ended: what was never started in it never will be. */
  forgetUnstarted(containerId: string): void {
    for (const record of this.#byId.values()) {
      if (record.containerId === containerId && !record.running && record.exitCode === null)
        this.#forget(record);
    }
  }

  forgetContainer(containerId: string): void {
    for (const record of this.#byId.values()) if (record.containerId === containerId) this.#forget(record);
  }

  #forget(record: ExecRecord): void {
    this.#byId.delete(record.id);
    this.started(record);
  }
}
