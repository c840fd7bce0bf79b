import type { Readable } from 'node:stream';
import { EngineError } from '../../stdx/errors.ts';

interface Upload {
  arrived: PromiseWithResolvers<Readable>;
  used: PromiseWithResolvers<void>;
}

/** Contexts that come by a request of their own: it and the build's find each other by the build's id. */
export class Uploads {
  readonly #byId = new Map<string, Upload>();

  /** Settles when the build has what it needs of it; the request must not be answered before. */
  async bring(id: string, tar: Readable, signal: AbortSignal): Promise<void> {
    const upload = this.#get(id);
    upload.arrived.resolve(tar);
    await orAborted(upload.used.promise, signal);
  }

  take(id: string, signal: AbortSignal): Promise<Readable> {
    return orAborted(this.#get(id).arrived.promise, signal);
  }

  /** The build has ended. */
  done(id: string): void {
    this.#byId.get(id)?.used.resolve();
    this.#byId.delete(id);
  }

  #get(id: string): Upload {
    let upload = this.#byId.get(id);
    if (upload === undefined) {
      upload = { arrived: Promise.withResolvers(), used: Promise.withResolvers() };
      this.#byId.set(id, upload);
    }
    return upload;
  }
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new EngineError('cancelled', 'context canceled'));
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
