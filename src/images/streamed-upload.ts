import type { Repository } from '../distribution/repository.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * An upload of something that is still being made. It begins with the first byte; what goes wrong with it is kept to
 * itself until the end, as whoever makes the bytes needs them anyway.
 */
export class StreamedUpload {
  readonly #repository: Repository;
  readonly #signal: AbortSignal;
  readonly #given = new AbortController();
  /** What is to be sent next, and who waits for it to be sent. */
  #next: { chunk: Buffer; sent: () => void } | undefined;
  #ended = false;
  /** Nothing more is sent, for whatever reason. */
  #over = false;
  #wake = () => {};
  /** Where the upload goes on once all is sent. */
  #sent: Promise<URL> | undefined;
  #started: URL | undefined;
  #failure: unknown;
  #finished = false;

  constructor(repository: Repository, signal: AbortSignal) {
    this.#repository = repository;
    this.#signal = signal;
  }

  /** Settles when the memory is the caller's again; never fails. Not again before that. */
  async write(chunk: Buffer): Promise<void> {
    this.#sent ??= this.#begin();
    if (this.#over) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#next = { chunk, sent: resolve };
    this.#wake();
    await promise;
  }

  /** No more comes. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** @returns whether the registry has it now, under this digest. */
  async finish(digest: Digest): Promise<boolean> {
    if (this.#sent === undefined) return false;
    this.end();
    try {
      const upload = await this.#sent;
      await this.#repository.finishUpload(upload, digest, undefined, this.#signal);
      this.#finished = true;
    } catch (error) {
      this.#failure ??= error;
    }
    return this.#finished;
  }

  /** Leaves nothing behind of what was not finished. @returns what went wrong, if something did. */
  async cancel(): Promise<unknown> {
    if (this.#finished || this.#sent === undefined) return undefined;
    this.#given.abort();
    await this.#sent.catch(() => {});
    // A registry that is out of reach clears away what was cut by itself.
    if (this.#started !== undefined) await this.#repository.cancelUpload(this.#started).catch(() => {});
    return this.#failure;
  }

  #begin(): Promise<URL> {
    const signal = AbortSignal.any([this.#signal, this.#given.signal]);
    const sending = (async () => {
      this.#started = await this.#repository.startUpload(signal);
      return this.#repository.appendUpload(this.#started, this.#chunks(signal), signal);
    })();
    sending.catch(error => {
      this.#failure ??= error;
      // A registry that answers before it has everything would leave its connection hanging.
      this.#given.abort();
      // Before the first chunk is asked for nobody else would say so.
      this.#stop();
    });
    return sending;
  }

  #stop(): void {
    this.#over = true;
    this.#next?.sent();
    this.#next = undefined;
  }

  async *#chunks(signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    try {
      while (!signal.aborted) {
        const next = this.#next;
        this.#next = undefined;
        if (next !== undefined) {
          try {
            yield next.chunk;
          } finally {
            next.sent();
          }
        } else if (this.#ended) return;
        else await new Promise<void>(resolve => (this.#wake = resolve));
      }
      signal.throwIfAborted();
    } finally {
      this.#stop();
    }
  }
}
