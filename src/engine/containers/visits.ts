/** How many look into the root of each container right now, besides its own run (`docker cp`, `export`). */
export class Visits {
  readonly #counts = new Map<string, number>();

  enter(id: string): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  /** @returns whether that was the last one */
  leave(id: string): boolean {
    const left = (this.#counts.get(id) ?? 1) - 1;
    if (left > 0) this.#counts.set(id, left);
    else this.#counts.delete(id);
    return left === 0;
  }
}
