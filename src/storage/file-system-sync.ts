import type { WorkerPool } from './worker-pool.ts';

/**
 * syncfs(2) of the data-root, shared: who asks while one is under way waits for the next one, and all who wait then
 * are served by that. Three layers of a pull ending together cost two, not three.
 */
export class FileSystemSync {
  readonly #workers: WorkerPool;
  readonly #path: string;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(workers: WorkerPool, path: string) {
    this.#workers = workers;
    this.#path = path;
  }

  /** Settles when everything written before the call is on the disk. */
  async sync(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#start();
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        this.#running = this.#start();
        return this.#running;
      });
    return this.#next;
  }

  async #start(): Promise<void> {
    try {
      await this.#workers.run('sync', this.#path);
    } finally {
      if (this.#next === undefined) this.#running = undefined;
    }
  }
}
