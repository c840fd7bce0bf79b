import type { Readable } from 'node:stream';
import type { resultMessage } from '../../api/buildkit/gateway.ts';
import type { GrpcError } from '../../api/grpc/status.ts';
import type { MessageOf } from '../../api/protobuf.ts';
import type { CacheEndpoint } from '../../build/request.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Exporter } from './exporters.ts';
import type { FrontendResult } from './frontend.ts';
import type { ReferencedImages } from './referenced-images.ts';
import { StatusLog } from './status-log.ts';
import { Vertices } from './vertices.ts';

/** How long calls about a build wait for the Solve that begins it: clients send both at once. */
const patienceMs = 10_000;
/** Builds that are over and can still be asked about. */
const maxFinished = 32;

/** One Solve, from its call on. */
export class RunningBuild {
  readonly ref: string;
  readonly sessionId: string;
  readonly createdMs = Date.now();
  readonly log = new StatusLog();
  readonly vertices: Vertices;
  readonly references: ReferencedImages;
  entitlements: string[] = [];
  readonly exporters: readonly Exporter[];
  cacheTo: CacheEndpoint[] = [];
  /** Brings the context that comes by a request of its own. */
  openUpload: ((signal: AbortSignal) => Promise<Readable>) | undefined;
  /** What frontends made within it, by the id that the client knows it under. */
  readonly results = new Map<string, FrontendResult>();
  /** What the client says is the result, when it drives the frontend itself. */
  readonly returned = Promise.withResolvers<MessageOf<typeof resultMessage> | undefined>();
  /** Calls of the gateway at work. */
  readonly #work = new Set<Promise<unknown>>();
  readonly #stop = new AbortController();
  completedMs: number | undefined;
  error: GrpcError | undefined;
  /** Of the frontend, as they were sent. */
  options: ReadonlyMap<string, string> = new Map();
  /** To Solve. */
  answer: Record<string, string> = {};
  /** Its record stays however many follow. */
  pinned = false;
  /** Not for the history: a client that only asks what we can do. */
  internal = false;

  constructor(ref: string, sessionId: string, exporters: Exporter[], references: ReferencedImages) {
    this.exporters = exporters;
    this.references = references;
    this.ref = ref;
    this.sessionId = sessionId;
    this.vertices = new Vertices(ref, this.log);
    this.returned.promise.catch(() => {});
  }

  /** Frontends that a client drives end with its Solve. @param signal of the call itself */
  async carry<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const running = work(AbortSignal.any([signal, this.#stop.signal]));
    this.#work.add(running);
    try {
      return await running;
    } finally {
      this.#work.delete(running);
    }
  }

  /** Ends what is still at work, and waits for it. */
  async settle(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#work);
  }
}

export interface BuildChange {
  build: RunningBuild;
  what: 'began' | 'ended' | 'forgotten';
}

/** The builds under way and the last ones that ended. */
export class RunningBuilds {
  readonly #builds = new Map<string, RunningBuild>();
  #waiting: (() => void)[] = [];
  readonly #listeners = new Set<(change: BuildChange) => void>();

  begin(build: RunningBuild): void {
    const before = this.#builds.get(build.ref);
    if (before !== undefined && before.completedMs === undefined)
      throw new EngineError('conflict', `a build ${build.ref} is under way`);
    this.#builds.delete(build.ref);
    this.#builds.set(build.ref, build);
    for (const wake of this.#waiting.splice(0)) wake();
    this.#tell(build, 'began');
  }

  end(build: RunningBuild): void {
    build.completedMs = Date.now();
    build.log.end();
    this.#tell(build, 'ended');
    const finished = [...this.#builds.values()].filter(one => one.completedMs !== undefined && !one.pinned);
    for (const old of finished.slice(0, Math.max(0, finished.length - maxFinished))) this.forget(old.ref);
  }

  list(): RunningBuild[] {
    return [...this.#builds.values()];
  }

  find(ref: string): RunningBuild | undefined {
    return this.#builds.get(ref);
  }

  forget(ref: string): void {
    const build = this.#builds.get(ref);
    this.#builds.delete(ref);
    if (build !== undefined) this.#tell(build, 'forgotten');
  }

  /** What happens from this call on, until the signal. */
  changes(signal: AbortSignal): AsyncGenerator<BuildChange> {
    const waiting: BuildChange[] = [];
    let wake = () => {};
    const listen = (change: BuildChange) => {
      waiting.push(change);
      wake();
    };
    const stop = () => {
      this.#listeners.delete(listen);
      wake();
    };
    if (!signal.aborted) this.#listeners.add(listen);
    signal.addEventListener('abort', stop, { once: true });
    return (async function* () {
      try {
        while (!signal.aborted) {
          yield* waiting.splice(0);
          if (waiting.length > 0 || signal.aborted) continue;
          await new Promise<void>(resolve => {
            wake = resolve;
          });
        }
      } finally {
        stop();
      }
    })();
  }

  #tell(build: RunningBuild, what: BuildChange['what']): void {
    for (const listener of this.#listeners) listener({ build, what });
  }

  /** @throws EngineError `notFound` when there is none in time */
  async get(ref: string, signal: AbortSignal): Promise<RunningBuild> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
    for (;;) {
      const build = this.#builds.get(ref);
      if (build !== undefined) return build;
      if (deadline.aborted) throw new EngineError('notFound', `no such job ${ref}`);
      await new Promise<void>(resolve => {
        this.#waiting.push(resolve);
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}
