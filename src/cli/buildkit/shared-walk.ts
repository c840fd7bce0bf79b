import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Branches } from './walk.ts';
import { type DigestRequest, sha256, WalkDigest } from './walk-digest.ts';

/** So many files are looked at before messages are looked for again: a fraction of a millisecond. */
const filesAtOnce = 64;

/** A tree with more files is walked by two: by then a thread, which takes as long to start as some thousand files, is worth it. */
const largeFiles = 128 * filesAtOnce;

/** What is left to the other: less than half, as it has to start first. */
const othersPart = 0.45;

/** From here on what a digest is made of is hashed by the client: loading node:crypto takes longer than sending what is short. */
const longBytes = 1 << 20;

/**
 * The digest of a tree, walked by and by, and when it is large by two threads. Where the second part begins depends on the tree
 * alone, and whoever walks it comes to the same bytes: should the other one not start, or be late, it is done without.
 */
export class SharedWalk {
  readonly #request: DigestRequest;
  readonly #walker: string | undefined;
  readonly #own: WalkDigest;
  #branches: readonly Branches[] = [];
  #worker: Worker | undefined;
  /** The other part's digest, when the worker has told it. */
  #told: Uint8Array | undefined;

  /** @param walker program of the other thread; undefined: there is none */
  constructor(request: DigestRequest, walker: string | undefined) {
    this.#request = request;
    this.#walker = walker;
    this.#own = new WalkDigest(request);
  }

  /** Does a little. @returns whether there is more to do */
  goOn(): boolean {
    const more = this.#own.walk(filesAtOnce);
    if (more && this.#own.files === largeFiles) this.#share();
    return more;
  }

  /** Does all that is left. @throws what the file system says */
  async digest(): Promise<Buffer> {
    while (this.goOn());
    const whole = Buffer.concat([this.#own.whole(), await this.#others()]);
    return whole.length > longBytes ? sha256(whole) : whole;
  }

  /** Nobody wants to know any more. */
  end(): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
  }

  #share(): void {
    this.#branches = this.#own.leave(othersPart);
    if (this.#branches.length === 0 || this.#walker === undefined) return;
    if (availableParallelism() < 2 || !existsSync(this.#walker)) return;
    this.#worker = new Worker(this.#walker, { workerData: { ...this.#request, branches: this.#branches } });
    this.#worker.unref();
    this.#worker.on('message', (told: Uint8Array) => (this.#told = told));
    // What it could not read cannot be read here either, and is told then.
    this.#worker.on('error', () => {});
  }

  /** While the worker has not come to its end this thread does the same, and the first one counts. */
  async #others(): Promise<Uint8Array> {
    if (this.#branches.length === 0) return Buffer.alloc(0);
    const same = new WalkDigest({ ...this.#request, branches: this.#branches });
    for (;;) {
      await new Promise(resolve => setImmediate(resolve));
      if (this.#told !== undefined) return this.#told;
      if (!same.walk(filesAtOnce)) return sha256(same.whole());
    }
  }
}
