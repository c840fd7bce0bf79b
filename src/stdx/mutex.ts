/** First come, first served. */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  /** Runs `work` alone; later callers wait for it to settle. */
  async run<T>(work: () => Promise<T> | T): Promise<T> {
    const before = this.#tail;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tail = promise;
    await before;
    try {
      return await work();
    } finally {
      resolve();
    }
  }
}

/** One mutex per key, made on first use and forgotten when nobody holds or awaits it. */
export class KeyedMutex {
  readonly #held = new Map<string, { mutex: Mutex; users: number }>();

  async run<T>(key: string, work: () => Promise<T> | T): Promise<T> {
    let entry = this.#held.get(key);
    if (entry === undefined) {
      entry = { mutex: new Mutex(), users: 0 };
      this.#held.set(key, entry);
    }
    entry.users++;
    try {
      return await entry.mutex.run(work);
    } finally {
      if (--entry.users === 0) this.#held.delete(key);
    }
  }
}
