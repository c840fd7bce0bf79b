import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { randomHex } from '../../stdx/random-hex.ts';
import type { FileSelection } from './file-selection.ts';
import { roughly, type Visited, visit } from './walk.ts';

/** From here on what a digest is made of is hashed by the client. */
const longBytes = 1 << 20;

/** File systems count time by steps, the coarsest of them by two seconds. */
const coarsestMs = 2000;

/** Mode, size, time of modification, time of change, inode, device. */
const numbersOfFile = 6;

/**
 * Says whether a tree is as it was, without its contents: nothing in a file can change without its time of change, which
 * nobody can set. Means something on one machine only. What has changed a moment ago can change again within the same
 * step of the file system's clock, unseen: such a tree is never the same.
 */
export class WalkDigest {
  readonly #files: Generator<Visited<Stats>>;
  readonly #settledMs: number;
  #isSettled = true;
  #numbers = new Float64Array(numbersOfFile * 1024);
  #used = 0;
  readonly #names: string[] = [];

  /** @param nowMs when the walk begins */
  constructor(root: string, selection: FileSelection, nowMs = Date.now()) {
    this.#files = visit(root, selection, roughly);
    this.#settledMs = nowMs - coarsestMs;
  }

  /** Walks on by so many files. @returns whether there may be more */
  walk(count: number): boolean {
    for (let left = count; left > 0; left--) {
      const next = this.#files.next();
      if (next.done === true) return false;
      this.#add(next.value);
    }
    return true;
  }

  /**
   * Of all of it. What is short is told as it is: loading node:crypto takes longer than sending and hashing that.
   */
  digest(): Buffer {
    this.walk(Number.POSITIVE_INFINITY);
    const chance = this.#isSettled ? '' : randomHex(16);
    // No name has a zero in it.
    const names = `${this.#names.length}\0${this.#names.join('\0')}\0${chance}\0`;
    const numbers = Buffer.from(this.#numbers.buffer, 0, this.#used * Float64Array.BYTES_PER_ELEMENT);
    const whole = Buffer.concat([Buffer.from(names), numbers]);
    return whole.length > longBytes ? createHash('sha256').update(whole).digest() : whole;
  }

  #add({ path, stat }: Visited<Stats>): void {
    if (this.#used + numbersOfFile > this.#numbers.length) {
      const larger = new Float64Array(this.#numbers.length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    const numbers = this.#numbers;
    let at = this.#used;
    numbers[at++] = stat.mode;
    numbers[at++] = stat.size;
    numbers[at++] = stat.mtimeMs;
    numbers[at++] = stat.ctimeMs;
    numbers[at++] = stat.ino;
    numbers[at++] = stat.dev;
    this.#used = at;
    if (stat.ctimeMs > this.#settledMs) this.#isSettled = false;
    this.#names.push(path);
  }
}
