import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { RegistryError } from '../distribution/errors.ts';
import type { Repository } from '../distribution/repository.ts';
import { takeBody } from '../distribution/transport.ts';
import type { Digest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/image.ts';
import { EngineError, kindOf } from '../stdx/errors.ts';
import { Semaphore } from '../stdx/limits.ts';
import type { Log } from '../stdx/log.ts';
import { KeyedMutex } from '../stdx/mutex.ts';
import type { BlobIngest, BlobStore } from '../storage/blobs.ts';
import type { ArrivingBlob } from '../storage/early-layer.ts';
import { Arrival } from '../storage/worker/arrival.ts';
import { type Progress, type ProgressEvent, progressBar, shortId } from './progress.ts';

export interface DownloadsOptions {
  blobs: BlobStore;
  log: Log;
  /** `max-concurrent-downloads`. */
  concurrent?: number;
  /** `max-download-attempts`: how often in a row nothing new arrives. */
  attempts?: number;
  /** Pause before the nth new try, from 1. */
  retryDelayMs?: (attempt: number) => number;
}

/**
 * Layers on their way here. Whoever wants a layer that is being fetched joins that download; it stops when the last
 * one has gone. A cut download goes on where it was, now and in the next pull: what has arrived is kept under the
 * layer's digest, and nothing is used before the whole has been verified.
 */
export class LayerDownloads {
  /** One unpacking per chain id at a time. */
  readonly applying = new KeyedMutex();
  readonly #blobs: BlobStore;
  readonly #log: Log;
  #attempts: number;
  readonly #retryDelayMs: (attempt: number) => number;
  readonly #slots: Semaphore;
  readonly #running = new Map<Digest, Download>();

  constructor(options: DownloadsOptions) {
    this.#blobs = options.blobs;
    this.#log = options.log;
    this.#attempts = options.attempts ?? 5;
    this.#retryDelayMs = options.retryDelayMs ?? (attempt => Math.min(2 ** (attempt - 1), 15) * 1000);
    this.#slots = new Semaphore(options.concurrent ?? 3);
  }

  /** For what begins from now on; downloads that run go on. */
  configure({ concurrent, attempts }: { concurrent: number; attempts: number }): void {
    this.#slots.resize(concurrent);
    this.#attempts = attempts;
  }

  /**
   * Settles when the blob is in the store and `hold` has been called, in one turn, so that it is never unowned.
   * @throws EngineError `corrupt`, `unavailable`, `cancelled` …
   */
  async fetch(
    layer: Descriptor,
    repository: Repository,
    { hold, arriving, progress }: Waiter,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const id = shortId(layer.digest);
    if (this.#blobs.has(layer.digest)) {
      hold(layer.digest);
      progress({ id, status: 'Download complete' });
      return;
    }
    let download = this.#running.get(layer.digest);
    while (download?.abandoned) {
      // Its last waiter has just gone; what it received is usable when it has put it down.
      await download.settled();
      download = this.#running.get(layer.digest);
    }
    download ??= this.#start(layer, repository);
    await download.join({ progress, hold, arriving }, signal);
  }

  #start(layer: Descriptor, repository: Repository): Download {
    const download = new Download();
    this.#running.set(layer.digest, download);
    download.run(async signal => {
      try {
        await this.#whenFree(download, shortId(layer.digest), () =>
          this.#try(layer, repository, download, signal),
        );
      } finally {
        download.arrival.fail();
        this.#running.delete(layer.digest);
      }
    });
    return download;
  }

  async #whenFree(download: Download, id: string, work: () => Promise<void>): Promise<void> {
    let started = false;
    const done = this.#slots.run(() => {
      started = true;
      return work();
    });
    if (!started) download.report({ id, status: 'Waiting' });
    await done;
  }

  /** Until it is here, is refused for good, or several tries in a row brought nothing. */
  async #try(
    layer: Descriptor,
    repository: Repository,
    download: Download,
    signal: AbortSignal,
  ): Promise<void> {
    for (let failures = 0; ; ) {
      const before = download.reachedBytes;
      try {
        return await this.#once(layer, repository, download, signal);
      } catch (error) {
        if (signal.aborted || !isWorthRetrying(error)) throw error;
        failures = download.reachedBytes > before ? 1 : failures + 1;
        if (failures >= this.#attempts) throw error;
        const delayMs = this.#retryDelayMs(failures);
        this.#log.debug(
          { digest: layer.digest, error: String(error), delayMs },
          'download cut, trying again',
        );
        const seconds = Math.ceil(delayMs / 1000);
        download.report({
          id: shortId(layer.digest),
          status: `Retrying in ${seconds} second${seconds === 1 ? '' : 's'}`,
        });
        await sleep(delayMs, undefined, { signal });
      }
    }
  }

  async #once(
    layer: Descriptor,
    repository: Repository,
    download: Download,
    signal: AbortSignal,
  ): Promise<void> {
    const { digest, size } = layer;
    const request = { digest, size, key: `layer:${digest}`, arrival: download.arrival };
    let ingest = await this.#blobs.ingest(request);
    try {
      const { body, offset } = await repository.blob(layer.digest, ingest.offset, signal);
      if (offset !== ingest.offset) {
        // The registry knows no ranges and begins at the beginning.
        await ingest.abort({ keep: false });
        ingest = await this.#blobs.ingest(request);
      }
      download.arrives(ingest);
      await this.#receive(layer, body, ingest, download);
    } catch (error) {
      await ingest.abort({ keep: kindOf(error) !== 'corrupt' });
      throw error;
    }
  }

  async #receive(
    layer: Descriptor,
    body: IncomingMessage,
    ingest: BlobIngest,
    download: Download,
  ): Promise<void> {
    const id = shortId(layer.digest);
    const bar = progressBar(event => download.report(event), id, 'Downloading', layer.size);
    let currentBytes = ingest.offset;
    await received(body, chunk => {
      currentBytes += chunk.length;
      if (currentBytes > layer.size) throw verificationFailed(layer.digest);
      const behind = ingest.take(chunk);
      download.reachedBytes = Math.max(download.reachedBytes, currentBytes);
      bar(currentBytes);
      return behind;
    });
    if (currentBytes < layer.size) throw new EngineError('unavailable', 'unexpected EOF');
    download.report({ id, status: 'Verifying Checksum' });
    try {
      await ingest.commit();
    } catch (error) {
      throw kindOf(error) === 'corrupt' ? verificationFailed(layer.digest) : error;
    }
    download.holdAll(layer.digest);
    download.report({ id, status: 'Download complete' });
  }
}

interface Waiter {
  progress: Progress;
  /** Called when the blob is there, in that turn. */
  hold: (digest: Digest) => void;
  /** Called when there is something to be read of it. */
  arriving?: ((blob: ArrivingBlob) => void) | undefined;
}

/** One layer being fetched for one or more pulls. */
class Download {
  reachedBytes = 0;
  readonly arrival = new Arrival();
  #file: Pick<BlobIngest, 'path' | 'pastCache'> | undefined;
  readonly #waiters = new Set<Waiter>();
  readonly #abort = new AbortController();
  readonly #done = Promise.withResolvers<void>();
  #last: ProgressEvent | undefined;

  run(work: (signal: AbortSignal) => Promise<void>): void {
    // Everybody may have gone before it fails; those who wait get the error through join().
    this.#done.promise.catch(() => {});
    work(this.#abort.signal).then(this.#done.resolve, this.#done.reject);
  }

  get abandoned(): boolean {
    return this.#abort.signal.aborted;
  }

  async settled(): Promise<void> {
    await Promise.allSettled([this.#done.promise]);
  }

  async join(waiter: Waiter, signal: AbortSignal): Promise<void> {
    this.#waiters.add(waiter);
    if (this.#last !== undefined) waiter.progress(this.#last);
    this.#tell(waiter);
    const gone = Promise.withResolvers<never>();
    const leave = () => gone.reject(new EngineError('cancelled', 'context canceled'));
    signal.addEventListener('abort', leave, { once: true });
    try {
      await Promise.race([this.#done.promise, gone.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
      this.#waiters.delete(waiter);
      if (this.#waiters.size === 0) this.#abort.abort();
    }
  }

  report(event: ProgressEvent): void {
    this.#last = event;
    for (const waiter of this.#waiters) waiter.progress(event);
  }

  /** It is being written there. */
  arrives({ path, pastCache }: BlobIngest): void {
    if (this.#file !== undefined) return;
    this.#file = { path, pastCache };
    for (const waiter of this.#waiters) this.#tell(waiter);
  }

  holdAll(digest: Digest): void {
    for (const waiter of this.#waiters) waiter.hold(digest);
  }

  #tell(waiter: Waiter): void {
    if (this.#file !== undefined) waiter.arriving?.({ ...this.#file, arrival: this.arrival.shared });
  }
}

/** Body errors in the transport's words: a stream that ends early is `unavailable`, not a fault of ours. */
async function received(
  body: IncomingMessage,
  take: (chunk: Buffer) => Promise<void> | undefined,
): Promise<void> {
  try {
    await takeBody(body, take);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError('unavailable', 'unexpected EOF', { cause: error });
  }
}

function isWorthRetrying(error: unknown): boolean {
  if (error instanceof RegistryError)
    return error.status >= 500 || error.status === 429 || error.status === 408;
  return kindOf(error) === 'unavailable';
}

function verificationFailed(digest: Digest): EngineError {
  return new EngineError('corrupt', `filesystem layer verification failed for digest ${digest}`);
}
