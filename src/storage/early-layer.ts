import { EngineError } from '../stdx/errors.ts';
import type { AppliedLayer } from './worker/operations.ts';

/** A blob on its way here: what a worker needs to read it meanwhile. */
export interface ArrivingBlob {
  path: string;
  /** It is written past the page cache (BlobIngest). */
  pastCache: boolean;
  /** Of the blob's Arrival. */
  arrival: SharedArrayBuffer;
}

/** Fills the directory; ends when the signal says so. */
type Unpack = (signal: AbortSignal, onProgress: (bytes: number) => void) => Promise<AppliedLayer>;

/**
 * A layer that is unpacked while its blob comes, into a directory that is nobody's yet: before all of the blob is there
 * and verified it is not known to be good for anything. Whoever began it gives it to LayerStore.apply(), or discards it.
 */
export class EarlyLayer {
  readonly #directory: string;
  readonly #remove: () => Promise<void>;
  readonly #abort = new AbortController();
  readonly #unpacked: Promise<AppliedLayer | undefined>;
  #report: (bytes: number) => void = () => {};
  #taken = false;

  constructor(directory: string, unpack: Unpack, remove: () => Promise<void>) {
    this.#directory = directory;
    this.#remove = remove;
    // Whatever is wrong shows again, and is said, when the whole blob is unpacked.
    this.#unpacked = unpack(this.#abort.signal, bytes => this.#report(bytes)).catch(() => undefined);
  }

  /** Settles when nothing is written any more. */
  async settled(): Promise<void> {
    await this.#unpacked;
  }

  /**
   * Waits for its end, once all of the blob is there. The directory is the caller's then.
   * @returns undefined when it did not work out. @throws EngineError `cancelled`
   */
  async take(
    onProgress: ((bytes: number) => void) | undefined,
    signal: AbortSignal | undefined,
  ): Promise<{ directory: string; applied: AppliedLayer } | undefined> {
    if (onProgress !== undefined) this.#report = onProgress;
    const stop = () => this.#abort.abort();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const applied = await this.#unpacked;
      if (signal?.aborted) throw new EngineError('cancelled', 'cancelled');
      if (applied === undefined || this.#taken) return undefined;
      this.#taken = true;
      return { directory: this.#directory, applied };
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** Ends it and removes what there is of it. Does nothing once it was taken. */
  async discard(): Promise<void> {
    if (this.#taken) return;
    this.#taken = true;
    this.#abort.abort();
    await this.#unpacked;
    await this.#remove();
  }
}
