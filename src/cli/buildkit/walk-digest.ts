import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { randomHex } from '../../stdx/random-hex.ts';
import { type FileRequest, FileSelection } from './file-selection.ts';
import { type Branches, rough, Visit, type Visited } from './walk.ts';

/** File systems count time by steps, the coarsest of them by two seconds. */
const coarsestMs = 2000;

/** Mode, size, time of modification, time of change, inode, device. */
const numbersOfFile = 6;

/** What a digest is made of. */
export interface DigestRequest {
  root: string;
  files: FileRequest;
  /** When the walk begins. */
  nowMs: number;
  /** Instead of the whole tree. */
  branches?: readonly Branches[];
}

/**
 * Says whether a tree is as it was, without its contents: nothing in a file can change without its time of change, which
 * nobody can set. Means something on one machine only. What has changed a moment ago can change again within the same
 * step of the file system's clock, unseen: such a tree is never the same.
 */
export class WalkDigest {
  readonly #visit: Visit<Stats>;
  readonly #settledMs: number;
  #isSettled = true;
  #numbers = new Float64Array(numbersOfFile * 1024);
  #used = 0;
  readonly #names: string[] = [];

  constructor({ root, files, nowMs, branches }: DigestRequest) {
    this.#visit = new Visit(root, new FileSelection(root, files), rough, branches);
    this.#settledMs = nowMs - coarsestMs;
  }

  /** How many files it has seen. */
  get files(): number {
    return this.#names.length;
  }

  /** Walks on by so many files. @returns whether there may be more */
  walk(count: number): boolean {
    for (let left = count; left > 0; left--) {
      const file = this.#visit.next();
      if (file === undefined) return false;
      this.#add(file);
    }
    return true;
  }

  /** What is not walked here: see Visit. */
  leave(part: number): Branches[] {
    return this.#visit.leave(part);
  }

  /** All that the digest says, after the last file. */
  whole(): Buffer {
    const chance = this.#isSettled ? '' : randomHex(16);
    // No name has a zero in it.
    const names = `${this.#names.length}\0${this.#names.join('\0')}\0${chance}\0`;
    const numbers = Buffer.from(this.#numbers.buffer, 0, this.#used * Float64Array.BYTES_PER_ELEMENT);
    return Buffer.concat([Buffer.from(names), numbers]);
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

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
