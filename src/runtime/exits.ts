import { join } from 'node:path';
import type { CgroupLayout } from '../linux/cgroups.ts';
import { IN_MOVED_TO, IN_Q_OVERFLOW } from '../linux/constants.ts';
import { watchDirectory } from '../linux/inotify.ts';
import { messageOf } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import { onProcessEnd } from './attach.ts';
import { type ContainerState, type ExitStatus, readExitFile, readState } from './container-state.ts';
import type { RuntimePaths } from './paths.ts';
import { killAll } from './removal.ts';
import { memoryPeak, oomKills } from './stats.ts';

export type ExitListener = (exit: ExitStatus & { id: string }) => void;

interface Watched {
  state: ContainerState;
  stopWatching: () => void;
}

/**
 * Who runs, and the end of each, told once. A monitor notes the exit code in a file, which inotify sees appear; a
 * monitor that ends without one was killed, and its container is then killed too.
 */
export class Exits {
  readonly #cgroups: CgroupLayout;
  readonly #paths: RuntimePaths;
  readonly #log: Log;
  readonly #watched = new Map<string, Watched>();
  readonly #listeners = new Set<ExitListener>();
  readonly #stopWatchingFiles: () => void;

  constructor(cgroups: CgroupLayout, paths: RuntimePaths, log: Log) {
    this.#cgroups = cgroups;
    this.#paths = paths;
    this.#log = log;
    this.#stopWatchingFiles = watchDirectory(paths.exits, IN_MOVED_TO, event => {
      if ((event.mask & IN_Q_OVERFLOW) !== 0) for (const id of this.#watched.keys()) this.#notice(id);
      else this.#notice(event.name);
    });
  }

  /** @returns stops it. */
  listen(listener: ExitListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The next end of this container. */
  next(id: string): Promise<ExitStatus> {
    return new Promise(resolve => {
      const stop = this.listen(exit => {
        if (exit.id !== id) return;
        stop();
        resolve(exit);
      });
    });
  }

  /** From here on its end will be told. `state.monitor` is there. */
  watch(id: string, state: ContainerState): void {
    const stopWatching = onProcessEnd(state.monitor!.pid, () => {
      if (!this.#notice(id)) void this.#lose(id);
    });
    this.#watched.set(id, { state, stopWatching });
  }

  /** As `watch`, for one that may have ended before. */
  watchAgain(id: string, state: ContainerState): void {
    this.watch(id, state);
    setImmediate(() => this.#notice(id));
  }

  forget(id: string): void {
    this.#watched.get(id)?.stopWatching();
    this.#watched.delete(id);
  }

  /** The state of a container that is being watched. */
  stateOf(id: string): ContainerState | undefined {
    return this.#watched.get(id)?.state;
  }

  /** How the last run ended; undefined while it runs, or when it is removed. */
  read(id: string): ExitStatus | undefined {
    const exit = readExitFile(join(this.#paths.exits, id));
    if (exit === undefined) return undefined;
    const state = readState(join(this.#paths.containers, id));
    if (state === undefined || oomKills(this.#cgroups, state.cgroupsPath) === 0)
      return { ...exit, oomKilled: false };
    return { ...exit, oomKilled: true, memoryPeakBytes: memoryPeak(this.#cgroups, state.cgroupsPath) };
  }

  close(): void {
    this.#stopWatchingFiles();
    for (const { stopWatching } of this.#watched.values()) stopWatching();
    this.#watched.clear();
  }

  /** @returns whether it has ended in the usual way. */
  #notice(id: string): boolean {
    if (!this.#watched.has(id)) return true;
    const exit = this.read(id);
    if (exit === undefined) return false;
    this.#tell(id, exit);
    return true;
  }

  async #lose(id: string): Promise<void> {
    const state = this.stateOf(id);
    if (state === undefined) return;
    this.#log.error(
      { id },
      "a container's monitor was killed: killing the container, whose exit nobody would see",
    );
    try {
      await killAll(this.#cgroups, id, state);
    } catch (error) {
      this.#log.error({ id, error: messageOf(error) }, 'killing a container without a monitor');
    }
    const oomKilled = oomKills(this.#cgroups, state.cgroupsPath) > 0;
    if (this.#watched.has(id))
      this.#tell(id, { exitCode: 137, finishedAtMs: Date.now(), oomKilled, lost: true });
  }

  #tell(id: string, exit: ExitStatus): void {
    this.forget(id);
    for (const listener of [...this.#listeners]) listener({ ...exit, id });
  }
}
