import { type Transferable, Worker } from 'node:worker_threads';
import { EngineError } from '../stdx/errors.ts';
import type { OperationName, Operations } from './worker/operations.ts';
import { fromPlainError, type WorkerResponse } from './worker/protocol.ts';

/**
 * How long idle workers are kept: as many as a COPY takes for the next build of somebody who is changing files, others for
 * the work under way. One costs some megabytes; a new one 50 ms of processor time, and as much again until V8 has compiled
 * what it does.
 */
const idleMs = 10_000;
const keptMs = 5 * 60_000;
const maxKept = 3;
const maxIdle = 4;

/**
 * Worker threads for work on files. There is no limit here: some work holds two (a copy), and waiting for the second
 * while holding the first could block for ever. Who starts much at once limits itself.
 */
export class WorkerPool {
  /** The one used last at the end. */
  #idle: { worker: FileWorker; sinceMs: number }[] = [];
  readonly #all = new Set<FileWorker>();
  #expiry: NodeJS.Timeout | undefined;
  #closed = false;

  /** A worker for oneself, until it is given back. */
  take(): FileWorker {
    if (this.#closed) throw new EngineError('cancelled', 'the storage is closed');
    const worker = this.#idle.pop()?.worker ?? this.#start();
    worker.ref();
    return worker;
  }

  /** Gives a worker back. It goes to the host's root by itself; one with work still running is ended. */
  async give(worker: FileWorker): Promise<void> {
    if (!this.#isSpare(worker)) {
      await this.end(worker);
      return;
    }
    try {
      await worker.call('leave', undefined);
    } catch {
      // A worker that cannot come back is of no use any more, whatever the reason.
      await this.end(worker);
      return;
    }
    this.#keep(worker);
  }

  #isSpare(worker: FileWorker): boolean {
    return !worker.busy && !worker.failed && !this.#closed && this.#idle.length < maxIdle;
  }

  /** So many will be wanted in a moment: those that are missing start now. Returns at once. */
  anticipate(count: number): void {
    if (this.#closed) return;
    while (this.#idle.length < Math.min(count, maxIdle)) this.#keep(this.#start());
  }

  #keep(worker: FileWorker): void {
    worker.unref();
    this.#idle.push({ worker, sinceMs: Date.now() });
    this.#expiry ??= setTimeout(() => this.#expire(), idleMs).unref();
  }

  /** Ends a worker at once, whatever it does. */
  async end(worker: FileWorker): Promise<void> {
    this.#all.delete(worker);
    await worker.terminate();
  }

  /** One call on a worker at the host's root; `signal` ends the worker. */
  async run<Name extends OperationName>(
    name: Name,
    argument: Operations[Name]['argument'],
    options: { signal?: AbortSignal; onProgress?: (value: number) => void; transfer?: Transferable[] } = {},
  ): Promise<Operations[Name]['result']> {
    const { signal, onProgress, transfer } = options;
    signal?.throwIfAborted();
    const worker = this.take();
    const stop = () => void this.end(worker);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const result = await worker.call(name, argument, { onProgress, transfer });
      // Back at the host's root already: whoever waits for the result need not wait for it to say so.
      if (this.#isSpare(worker)) this.#keep(worker);
      else void this.end(worker);
      return result;
    } catch (error) {
      await this.give(worker);
      if (signal?.aborted) throw new EngineError('cancelled', 'cancelled', { cause: error });
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#expiry);
    this.#idle = [];
    await Promise.all([...this.#all].map(worker => this.end(worker)));
  }

  #start(): FileWorker {
    const worker = new FileWorker();
    this.#all.add(worker);
    return worker;
  }

  #expire(): void {
    const firstKept = this.#idle.length - maxKept;
    const nowMs = Date.now();
    const old = this.#idle.filter(
      ({ sinceMs }, index) => nowMs - sinceMs >= (index < firstKept ? idleMs : keptMs),
    );
    this.#idle = this.#idle.filter(one => !old.includes(one));
    for (const { worker } of old) void this.end(worker);
    this.#expiry = this.#idle.length === 0 ? undefined : setTimeout(() => this.#expire(), idleMs).unref();
  }
}

interface PendingCall {
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
  onProgress?: (value: number) => void;
}

/** The workers' program: a source beside the sources, a bundle beside the bundle (main/bundle-daemon.ts). */
const workerProgram = new URL(
  import.meta.url.endsWith('.ts') ? './worker/file-worker.ts' : './file-worker.mjs',
  import.meta.url,
);

/** One worker thread, seen from the main one. */
export class FileWorker {
  readonly #worker = new Worker(workerProgram, { name: 'files' });
  readonly #pending = new Map<number, PendingCall>();
  #lastId = 0;
  #ended: Promise<void> | undefined;
  #failure: unknown;

  constructor() {
    this.#worker.on('message', (response: WorkerResponse) => this.#onResponse(response));
    this.#worker.on('error', error => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new EngineError('cancelled', 'a file worker was ended')));
  }

  get busy(): boolean {
    return this.#pending.size > 0;
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  call<Name extends OperationName>(
    name: Name,
    argument: Operations[Name]['argument'],
    options: { onProgress?: (value: number) => void; transfer?: Transferable[] } = {},
  ): Promise<Operations[Name]['result']> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = ++this.#lastId;
    this.#pending.set(id, { resolve, reject, onProgress: options.onProgress });
    this.#worker.postMessage({ id, operation: name, argument }, options.transfer ?? []);
    return promise as Promise<Operations[Name]['result']>;
  }

  /** An idle worker does not keep the process alive. */
  unref(): void {
    this.#worker.unref();
  }

  ref(): void {
    this.#worker.ref();
  }

  async terminate(): Promise<void> {
    this.#ended ??= this.#worker.terminate().then(() => {});
    await this.#ended;
  }

  #onResponse(response: WorkerResponse): void {
    const call = this.#pending.get(response.id);
    if (call === undefined) return;
    if ('progress' in response) {
      call.onProgress?.(response.progress);
      return;
    }
    this.#pending.delete(response.id);
    if ('error' in response) call.reject(fromPlainError(response.error));
    else call.resolve(response.result);
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const call of this.#pending.values()) call.reject(this.#failure);
    this.#pending.clear();
  }
}
