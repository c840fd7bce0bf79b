import { Worker } from 'node:worker_threads';
import type { Log } from '../../stdx/log.ts';
import type { FollowRequest, WorkerReport, WorkerRequest } from './worker/messages.ts';

/** The worker's program: a source beside the sources, a bundle beside the bundle (main/bundle-daemon.ts). */
const workerProgram = new URL(
  import.meta.url.endsWith('.ts') ? './worker/log-worker.ts' : './log-worker.mjs',
  import.meta.url,
);

/** How long whoever waits for a delivery is held up. */
const patienceMs = 10_000;

/**
 * Carries the captured logs of containers to the sinks of their log drivers, in a worker thread that is started when
 * the first container wants one.
 */
export class LogSinks {
  readonly #log: Log;
  readonly #following = new Map<string, FollowRequest>();
  readonly #answers = new Map<number, () => void>();
  #worker: Worker | undefined;
  #lastToken = 0;
  #closed = false;

  constructor(log: Log) {
    this.#log = log;
  }

  follow(request: FollowRequest): void {
    this.#following.set(request.id, request);
    this.#post({ kind: 'follow', request });
  }

  /** Nothing more will be written. Settles when all is delivered or cannot be at the moment, or after a while. */
  async end(id: string): Promise<void> {
    const request = this.#following.get(id);
    if (request === undefined) return;
    this.#following.set(id, { ...request, running: false });
    await this.#ask(token => ({ kind: 'end', id, token }));
  }

  /** The log is about to be removed. */
  async forget(id: string): Promise<void> {
    if (!this.#following.delete(id)) return;
    await this.#ask(token => ({ kind: 'forget', id, token }));
  }

  /** What is under way is delivered and put on record. */
  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    await this.#ask(token => ({ kind: 'close', token }));
    await worker.terminate();
  }

  async #ask(request: (token: number) => WorkerRequest): Promise<void> {
    const token = ++this.#lastToken;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>(resolve => {
      this.#answers.set(token, resolve);
      timer = setTimeout(resolve, patienceMs);
      this.#post(request(token));
    });
    clearTimeout(timer);
    this.#answers.delete(token);
  }

  #post(request: WorkerRequest): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(request);
  }

  #start(): Worker {
    const worker = new Worker(workerProgram, { name: 'logs', trackUnmanagedFds: false });
    worker.unref();
    worker.on('message', (report: WorkerReport) => this.#onReport(report));
    worker.on('error', error => this.#log.error({ err: error }, 'the worker of the log drivers failed'));
    worker.on('exit', () => this.#onExit(worker));
    return worker;
  }

  #onReport(report: WorkerReport): void {
    if (report.kind === 'answer') this.#answers.get(report.token)?.();
    else this.#log[report.level]({ container: report.id }, report.text);
  }

  /** What was on record is known: a new worker goes on where this one stopped. */
  #onExit(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const resolve of this.#answers.values()) resolve();
    if (this.#closed) return;
    setTimeout(() => {
      if (this.#closed) return;
      for (const request of this.#following.values()) this.#post({ kind: 'follow', request });
    }, restartMs).unref();
  }
}

const restartMs = 1000;
