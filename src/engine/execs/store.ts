import { EngineError } from '../../stdx/errors.ts';
import type { ExecRecord } from '../engine.ts';

/** How long a finished one can still be asked for, as in dockerd (daemon/exec.go, execCommandGC). */
const keptAfterEndMs = 5 * 60_000;

/** Commands run inside containers. In memory; those that run are taken on by the next daemon. */
export class ExecStore {
  readonly #byId = new Map<string, ExecRecord>();

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

  ended(record: ExecRecord, exitCode: number): void {
    record.running = false;
    record.exitCode = exitCode;
    setTimeout(() => this.#byId.delete(record.id), keptAfterEndMs).unref();
  }

  /** The container has ended: what was never started in it never will be. */
  forgetUnstarted(containerId: string): void {
    for (const [id, { containerId: of, running, exitCode }] of this.#byId) {
      if (of === containerId && !running && exitCode === null) this.#byId.delete(id);
    }
  }

  forgetContainer(containerId: string): void {
    for (const [id, record] of this.#byId) {
      if (record.containerId === containerId) this.#byId.delete(id);
    }
  }
}
