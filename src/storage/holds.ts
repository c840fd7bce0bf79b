/** Things in somebody's hands who has not had time to reference them in the database, with how many hands. */
export class Holds<Thing> {
  readonly #hands = new Map<Thing, number>();

  has(thing: Thing): boolean {
    return this.#hands.has(thing);
  }

  /** Until the returned function is called, and a little longer. */
  hold(thing: Thing): () => void {
    this.#hands.set(thing, (this.#hands.get(thing) ?? 0) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      // Whoever awaited the work gets its turn to reference the thing first.
      setImmediate(() => this.#letGo(thing));
    };
  }

  #letGo(thing: Thing): void {
    const left = this.#hands.get(thing)! - 1;
    if (left === 0) this.#hands.delete(thing);
    else this.#hands.set(thing, left);
  }
}
