import { EventEmitter, once } from 'node:events';
import type { ContainerStatsSample } from '../engine.ts';

/** Docker's. */
const intervalMs = 1000;

/** A container that somebody follows. */
interface Watch {
  newest: ContainerStatsSample;
  followers: number;
  timer: NodeJS.Timeout;
  /** `sample` after each reading, `error` when it could not be read. */
  readings: EventEmitter<{ sample: []; error: [error: unknown] }>;
}

/** Reads a container's counters once a second while somebody follows them, however many do. */
export class StatsSampler {
  readonly #watches = new Map<string, Watch>();
  readonly #read: (id: string) => ContainerStatsSample;

  constructor(read: (id: string) => ContainerStatsSample) {
    this.#read = read;
  }

  /** At most a second old. @throws notFound */
  newest(id: string): ContainerStatsSample {
    return this.#watches.get(id)?.newest ?? this.#read(id);
  }

  /**
   * The newest sample at once, then one a second; who takes longer over one misses some.
   * @throws notFound when it is removed; an AbortError
   */
  async *follow(id: string, signal: AbortSignal): AsyncGenerator<ContainerStatsSample> {
    const watch = this.#join(id);
    try {
      yield watch.newest;
      for (;;) {
        await once(watch.readings, 'sample', { signal });
        yield watch.newest;
      }
    } finally {
      this.#leave(id, watch);
    }
  }

  #join(id: string): Watch {
    const watch = this.#watches.get(id) ?? this.#begin(id);
    watch.followers++;
    return watch;
  }

  #begin(id: string): Watch {
    const readings: Watch['readings'] = new EventEmitter();
    readings.setMaxListeners(0);
    // Nobody may be waiting just then: the next reading fails, too.
    readings.on('error', () => {});
    const newest = this.#read(id);
    const timer = setInterval(() => this.#take(id, watch), intervalMs);
    const watch: Watch = { newest, followers: 0, readings, timer };
    this.#watches.set(id, watch);
    return watch;
  }

  #take(id: string, watch: Watch): void {
    try {
      watch.newest = this.#read(id);
      watch.readings.emit('sample');
    } catch (error) {
      watch.readings.emit('error', error);
    }
  }

  #leave(id: string, watch: Watch): void {
    watch.followers--;
    if (watch.followers > 0) return;
    clearInterval(watch.timer);
    this.#watches.delete(id);
  }
}
