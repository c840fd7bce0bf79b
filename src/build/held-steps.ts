import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../stdx/errors.ts';
import type { ExecutorTerminal } from './executor.ts';

/** How long a failed step waits for somebody to come. */
const unvisitedMs = 60_000;

/** A RUN that has failed, its files as it left them. */
export interface FailedStep {
  /** What was run. */
  args: readonly string[];
  exitCode: number;
  /** Runs another command where it ran: same files, mounts, variables, user, directory and network. */
  enter(
    args: readonly string[],
    terminal: ExecutorTerminal,
    signal: AbortSignal,
  ): Promise<{ exitCode: number }>;
}

interface Build {
  held: PromiseWithResolvers<FailedStep | undefined>;
  /** Settles when the held step is given back. */
  released: PromiseWithResolvers<void>;
  holding: boolean;
  visits: number;
  resize?: Resize;
}

type Resize = (size: { rows: number; columns: number }) => void;

/**
 * Failed steps of builds that asked for it, by the token the caller chose. A step is held while its build waits for
 * it: until somebody who was inside leaves, until it is given back, until the build's client has gone, or until nobody has come for a
 * minute. Nothing of it outlives the build, so there is nothing to clean up after a kill but what the build leaves anyway.
 */
export class HeldSteps {
  readonly #builds = new Map<string, Build>();
  /** Who asked for a build that has not begun: its context may be on its way still. */
  readonly #awaited = new Map<string, { begun: PromiseWithResolvers<void>; waiters: number }>();

  /** A build begins that holds its first failed step. @returns its end @throws EngineError `conflict` */
  open(token: string): () => void {
    if (this.#builds.has(token)) throw new EngineError('conflict', 'the token is in use by another build');
    const build: Build = {
      held: Promise.withResolvers(),
      released: Promise.withResolvers(),
      holding: false,
      visits: 0,
    };
    this.#builds.set(token, build);
    this.#awaited.get(token)?.begun.resolve();
    return () => {
      this.#builds.delete(token);
      build.held.resolve(undefined);
      build.released.resolve();
    };
  }

  /** Waits until the step is given back. Steps of one build that fail later wait for the first. */
  async hold(token: string, step: FailedStep, signal: AbortSignal): Promise<void> {
    const build = this.#find(token);
    const gone = Promise.withResolvers<void>();
    const leave = () => gone.resolve();
    signal.addEventListener('abort', leave, { once: true });
    const given = new AbortController();
    try {
      if (!build.holding) {
        build.holding = true;
        build.held.resolve(step);
        void sleep(unvisitedMs, undefined, { signal: given.signal, ref: false }).then(
          () => build.visits === 0 && build.released.resolve(),
          () => {},
        );
      }
      await Promise.race([build.released.promise, gone.promise]);
    } finally {
      given.abort();
      signal.removeEventListener('abort', leave);
    }
  }

  /**
   * The failed step of a build, once it has one; also of a build that has yet to begin.
   * @returns undefined when the build has ended without.
   * @throws EngineError `cancelled`
   */
  async wait(token: string, signal: AbortSignal): Promise<FailedStep | undefined> {
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const leave = () => reject(new EngineError('cancelled', 'the client has gone'));
    signal.addEventListener('abort', leave, { once: true });
    try {
      if (!this.#builds.has(token)) await this.#begun(token, gone);
      return await Promise.race([this.#builds.get(token)?.held.promise, gone]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  /** Runs a command in the held step, which is given back when the last command in it has ended. */
  async enter(
    token: string,
    args: readonly string[],
    terminal: ExecutorTerminal,
    signal: AbortSignal,
  ): Promise<{ exitCode: number }> {
    this.requireFree(token);
    const build = this.#find(token);
    build.visits++;
    const started = (change: Resize): void => {
      build.resize = change;
      terminal.started(change);
    };
    try {
      const step = (await build.held.promise)!;
      return await step.enter(args, { ...terminal, started }, signal);
    } finally {
      build.released.resolve();
    }
  }

  /** Its files are mounted for one command. @throws EngineError `notFound`, `conflict` */
  requireFree(token: string): void {
    const build = this.#find(token);
    if (!build.holding) throw new EngineError('conflict', 'the build has no failed step');
    if (build.visits > 0) throw new EngineError('conflict', 'somebody is in the failed step already');
  }

  /** Of the terminal of the command that runs in the step. @throws EngineError `notFound`, `conflict` */
  resize(token: string, size: { rows: number; columns: number }): void {
    const change = this.#find(token).resize;
    if (change === undefined) throw new EngineError('conflict', 'nothing runs in the failed step');
    change(size);
  }

  release(token: string): void {
    this.#find(token).released.resolve();
  }

  async #begun(token: string, gone: Promise<never>): Promise<void> {
    const awaited = this.#awaited.get(token) ?? { begun: Promise.withResolvers<void>(), waiters: 0 };
    this.#awaited.set(token, awaited);
    awaited.waiters++;
    try {
      await Promise.race([awaited.begun.promise, gone]);
    } finally {
      if (--awaited.waiters === 0) this.#awaited.delete(token);
    }
  }

  #find(token: string): Build {
    const build = this.#builds.get(token);
    if (build === undefined) throw new EngineError('notFound', 'no build holds a failed step for this token');
    return build;
  }
}
