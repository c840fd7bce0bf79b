/** Restarts that wait for their back-off. In memory: after a daemon restart the policies decide anew. */
export class RestartTimers {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #delays = new Map<string, number>();

  schedule(id: string, delayMs: number, restart: () => void): void {
    this.cancel(id);
    this.#delays.set(id, delayMs);
    this.#timers.set(
      id,
      setTimeout(() => {
        this.#timers.delete(id);
        restart();
      }, delayMs),
    );
  }

  /** The delay before the run that goes on now; 0 if a user started it. */
  previousDelayMs(id: string): number {
    return this.#delays.get(id) ?? 0;
  }

  /** @returns whether a restart was waiting */
  cancel(id: string): boolean {
    const timer = this.#timers.get(id);
    clearTimeout(timer);
    return this.#timers.delete(id);
  }

  /** A user takes over: the back-off begins anew. */
  forget(id: string): void {
    this.cancel(id);
    this.#delays.delete(id);
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
