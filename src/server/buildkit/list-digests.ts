import { hash } from 'node:crypto';

/** Hashing is one call for hundreds of names then, and a difference is seen early enough to use the time. */
const partBytes = 64 * 1024;

/**
 * A list of messages, as it came over the wire, as digests of its parts: whether the next list is the same can be told
 * while it comes, and what has to be kept of fifty thousand names are some kilobytes.
 */
export class ListDigests {
  readonly parts: string[] = [];
  readonly #part = Buffer.allocUnsafe(partBytes);
  #usedBytes = 0;

  /** @param messages with their headers; where they are cut for this makes no difference */
  add(messages: Uint8Array): void {
    for (let at = 0; at < messages.length; ) {
      const taken = messages.subarray(at, at + partBytes - this.#usedBytes);
      this.#part.set(taken, this.#usedBytes);
      this.#usedBytes += taken.length;
      at += taken.length;
      if (this.#usedBytes === partBytes) this.#close();
    }
  }

  /** After the last one. */
  end(): void {
    this.#close();
  }

  /** Whether what was added so far is how that list begins, as far as whole parts tell. */
  begins(other: readonly string[], from: number): boolean {
    for (let index = from; index < this.parts.length; index++)
      if (this.parts[index] !== other[index]) return false;
    return true;
  }

  #close(): void {
    if (this.#usedBytes === 0) return;
    this.parts.push(hash('sha256', this.#part.subarray(0, this.#usedBytes), 'base64'));
    this.#usedBytes = 0;
  }
}
