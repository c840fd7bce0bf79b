import { PassThrough } from 'node:stream';
import type { Repository } from '../distribution/repository.ts';
import type { Digest } from '../oci/digest.ts';

/**
 * An upload of something that is still being made. It begins with the first byte; what goes wrong with it is kept to
 * itself until the end, as whoever makes the bytes needs them anyway.
 */
export class StreamedUpload {
  readonly #repository: Repository;
  readonly #signal: AbortSignal;
  readonly #body = new PassThrough({ highWaterMark: 4 << 20 });
  /** Where the upload goes on once all is sent. */
  #sent: Promise<URL> | undefined;
  #started: URL | undefined;
  #failure: unknown;
  #finished = false;

  constructor(repository: Repository, signal: AbortSignal) {
    this.#repository = repository;
    this.#signal = signal;
  }

  /** Settles when more may come; never fails. */
  async write(chunk: Buffer): Promise<void> {
    if (this.#failure !== undefined) return;
    this.#sent ??= this.#begin();
    if (this.#body.write(chunk) || this.#body.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const go = () => {
      this.#body.off('drain', go).off('close', go);
      resolve();
    };
    this.#body.on('drain', go).on('close', go);
    await promise;
  }

  /** @returns whether the registry has it now, under this digest. */
  async finish(digest: Digest): Promise<boolean> {
    if (this.#sent === undefined) return false;
    this.#body.end();
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
    this.#body.destroy();
    await this.#sent.catch(() => {});
    // A registry that is out of reach clears away what was cut by itself.
    if (this.#started !== undefined) await this.#repository.cancelUpload(this.#started).catch(() => {});
    return this.#failure;
  }

  #begin(): Promise<URL> {
    const sending = (async () => {
      this.#started = await this.#repository.startUpload(this.#signal);
      return this.#repository.appendUpload(this.#started, this.#body, this.#signal);
    })();
    sending.catch(error => {
      this.#failure ??= error;
      this.#body.destroy();
    });
    return sending;
  }
}
