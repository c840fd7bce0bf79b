/** Lets at most `limit` pieces of work run at once; the rest wait in order. */
export class Semaphore {
  readonly #waiting: (() => void)[] = [];
  #limit: number;
  /** Below zero after the limit was lowered while more were at work. */
  #free: number;

  constructor(limit: number) {
    this.#limit = limit;
    this.#free = limit;
  }

  /** What runs goes on; a higher limit lets waiting work begin at once. */
  resize(limit: number): void {
    this.#free += limit - this.#limit;
    this.#limit = limit;
    while (this.#free > 0 && this.#waiting.length > 0) {
      this.#free--;
      this.#waiting.shift()!();
    }
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>(resolve => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#free < 0 ? undefined : this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
