import { EngineError } from '../../stdx/errors.ts';
import type { LayerFile } from './layer-file.ts';

/**
 * How much of a file has been written, told by whoever fills it to a thread that reads it meanwhile:
 *
 *     8 bytes  length, as far as it may be read
 *     4 bytes  0 more may come, 1 that is all of it, 2 it is given up
 *     4 bytes  counts the changes, to be waited for
 */
export class Arrival {
  /** For the other thread, which makes its own of it. */
  readonly shared: SharedArrayBuffer;
  readonly #length: BigInt64Array;
  readonly #state: Int32Array;

  constructor(shared = new SharedArrayBuffer(16)) {
    this.shared = shared;
    this.#length = new BigInt64Array(shared, 0, 1);
    this.#state = new Int32Array(shared, 8, 2);
  }

  /** The file has this many bytes now. */
  reached(length: number): void {
    Atomics.store(this.#length, 0, BigInt(length));
    this.#changed();
  }

  end(): void {
    this.#settle(1);
  }

  /** What was written is no beginning of anything any more. Does nothing after the end. */
  fail(): void {
    this.#settle(2);
  }

  /** Settles when there are so many bytes, or no more come. */
  async atLeast(length: number): Promise<void> {
    for (;;) {
      const turn = Atomics.load(this.#state, 1);
      if (Atomics.load(this.#state, 0) !== 0 || Number(Atomics.load(this.#length, 0)) >= length) return;
      await this.#change(turn);
    }
  }

  /**
   * The file's bytes as they come, to its end.
   * @throws EngineError `cancelled` when it is given up
   */
  async *chunks(file: Pick<LayerFile, 'read'>): AsyncGenerator<Buffer> {
    for (let at = 0; ; ) {
      const turn = Atomics.load(this.#state, 1);
      // Before the length, which does not grow any more once the end is said.
      const state = Atomics.load(this.#state, 0);
      if (state === 2) throw new EngineError('cancelled', 'the bytes of a layer stopped coming');
      const there = Number(Atomics.load(this.#length, 0)) - at;
      if (there > 0) {
        const chunk = await file.read(at, there);
        if (chunk.length === 0) throw new EngineError('corrupt', 'a file on its way here has become shorter');
        at += chunk.length;
        yield chunk;
      } else if (state === 1) return;
      else await this.#change(turn);
    }
  }

  #settle(state: 1 | 2): void {
    Atomics.compareExchange(this.#state, 0, 0, state);
    this.#changed();
  }

  /** Settles once there was one after this turn. */
  async #change(turn: number): Promise<void> {
    await Atomics.waitAsync(this.#state, 1, turn).value;
  }

  #changed(): void {
    Atomics.add(this.#state, 1, 1);
    Atomics.notify(this.#state, 1);
  }
}
