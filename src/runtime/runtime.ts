import { closeSync, constants, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CgroupLayout,
  cgroupProcesses,
  controllerDirectory,
  writeCgroupFile,
} from '../linux/cgroups.ts';
import { kill } from '../linux/process.ts';
import { setWindowSize, type WindowSize, withTerminalOf } from '../linux/terminal.ts';
import type { RuntimeSpec } from '../oci/runtime-spec.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import { type AttachStream, openAttachStream } from './attach.ts';
import { CgroupMigration } from './cgroup-migration.ts';
import {
  type ContainerState,
  type ExitStatus,
  identify,
  identifyMonitor,
  isAlive,
  listDirectory,
  readState,
  writeState,
} from './container-state.ts';
import { type DirectOptions, type DirectResult, runToEnd } from './direct.ts';
import { type AdoptedExec, type ExecOptions, type ExecResult, Execs } from './execs.ts';
import { type ExitListener, Exits } from './exits.ts';
import { freeze, isFrozen, thaw } from './freezer.ts';
import type { HostFacts } from './host-facts.ts';
import { givePipes, hostOwnerOf } from './id-mappings.ts';
import { Launcher, leavesStdinOpen } from './launcher.ts';
import { RuntimeRefusal, untilAccepted } from './monitor.ts';
import { type RuntimePaths, runtimePaths } from './paths.ts';
import {
  chooseRuntimes,
  isSameRuntime,
  type ProbeOptions,
  type Programs,
  probePrograms,
  type RuntimeChoice,
  type RuntimeInfo,
} from './probe.ts';
import { removeContainer, sendSignal, thawToDie } from './removal.ts';
import { SeccompCache } from './seccomp-cache.ts';
import { SIGKILL } from './signals.ts';
import { planResources, type ResourceInput } from './spec.ts';
import { classifyStartFailure } from './start-error.ts';
import { type ContainerStats, memoryPeak, oomKills, readStats } from './stats.ts';

export interface CreateOptions {
  id: string;
  spec: RuntimeSpec;
  /** OpenStdin: there is an input at all. */
  stdin: boolean;
  /** The input ends with the first client that ends its own. */
  stdinOnce: boolean;
  /** File for the output in CRI's format; null: none is kept. */
  logPath: string | null;
  /** Name of the OCI runtime; the default one if absent. */
  runtimeName?: string;
}

/**
 * Runs containers through an OCI runtime and one monitor each. It holds none of them alive: everything it knows is
 * below the exec-root (see paths.ts), and a new Runtime adopts what the last one left.
 *
 *     create -> created -> start -> running <-> paused
 *                  |                  |            |
 *                  +------ exit (onExit) ----------+ -> delete
 */
export class Runtime {
  readonly host: HostFacts;
  readonly conmonVersion: string;
  readonly #programs: Programs;
  readonly #execRoot: string;
  readonly #cgroups: CgroupLayout;
  readonly #paths: RuntimePaths;
  readonly #log: Log;
  readonly #migration: CgroupMigration;
  readonly #seccomp = new SeccompCache();
  readonly #launcher: Launcher;
  readonly #exits: Exits;
  /** Containers that clients have attached to in this run. */
  readonly #attached = new Set<string>();
  readonly #execs: Execs;

  /** @throws EngineError `internal` when conmon or an OCI runtime is missing or does not work. */
  static async probe(options: ProbeOptions): Promise<Runtime> {
    const paths = runtimePaths(options.execRoot);
    for (const path of [paths.containers, paths.exits, paths.runtimeRoot]) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    }
    return new Runtime(await probePrograms(options), paths, options);
  }

  private constructor(programs: Programs, paths: RuntimePaths, { execRoot, log }: ProbeOptions) {
    this.#programs = programs;
    this.#execRoot = execRoot;
    this.host = programs.host;
    this.conmonVersion = programs.conmonVersion;
    this.#cgroups = programs.cgroups;
    this.#paths = paths;
    this.#log = log;
    this.#migration = new CgroupMigration(log);
    this.#launcher = new Launcher(programs, paths);
    this.#exits = new Exits(programs.cgroups, paths, log);
    this.#execs = new Execs(this.#launcher, paths);
  }

  /** The default OCI runtime. */
  get info(): RuntimeInfo {
    return this.#programs.runtimes.values().next().value!;
  }

  /** All, by name; the default one is first. */
  get runtimes(): ReadonlyMap<string, RuntimeInfo> {
    return this.#programs.runtimes;
  }

  /** Those of another configuration. @throws EngineError `invalid`. Changes nothing: takeRuntimes does. */
  chooseRuntimes(choice: RuntimeChoice): Promise<Map<string, RuntimeInfo>> {
    return chooseRuntimes({ ...choice, execRoot: this.#execRoot, log: this.#log }, this.runtimes);
  }

  /**
   * From here on containers are started with these. One whose runtime is not there any more runs on, but cannot be
   * started again.
   * @returns whether any is another than before
   */
  takeRuntimes(chosen: ReadonlyMap<string, RuntimeInfo>): boolean {
    const { runtimes } = this.#programs;
    const before = [...runtimes.values()];
    runtimes.clear();
    for (const [name, info] of chosen) runtimes.set(name, info);
    const after = [...runtimes.values()];
    return before.length !== after.length || after.some((info, index) => !isSameRuntime(info, before[index]));
  }

  /** Called for every container created or adopted here, once per run. @returns stops it. */
  onExit(listener: ExitListener): () => void {
    return this.#exits.listen(listener);
  }

  /** Something will be started in a moment: what the kernel takes long for can begin now. Returns at once. */
  anticipateStart(): void {
    this.#migration.anticipate();
  }

  /**
   * Makes a container up to the moment before its program runs: its namespaces exist, its streams can be attached.
   * What an earlier run of the same id left is removed first.
   * @throws StartError
   */
  async create(options: CreateOptions): Promise<{ pid: number; monitorPid: number }> {
    const { id, spec, stdin, stdinOnce, logPath } = options;
    const runtime = this.#launcher.runtimeNamed(options.runtimeName);
    if (this.#exits.stateOf(id) !== undefined)
      throw new EngineError('conflict', `container ${id} exists already`);
    if (readState(this.#bundle(id)) !== undefined) await this.delete(id);
    const state: ContainerState = {
      cgroupsPath: spec.linux.cgroupsPath,
      runtimeName: runtime.name,
      tty: spec.process.terminal === true,
      stdin,
      stdinOnce,
      logPath,
    };
    const bundle = this.#bundle(id);
    mkdirSync(bundle, { recursive: true, mode: 0o700 });
    writeState(bundle, state);
    const isCrun = runtime.name === 'crun';
    const effective = isCrun ? this.#seccomp.apply(spec) : spec;
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(effective), { mode: 0o600 });
    try {
      const { pid } = await this.#launcher.monitor(id, bundle, state);
      const { uidMappings: uid, gidMappings: gid } = spec.linux;
      const owner = uid && gid && hostOwnerOf(spec.process.user, { uid, gid });
      if (owner !== undefined) givePipes(pid, owner);
      if (isCrun && effective === spec) this.#seccomp.learn(spec, join(this.#paths.runtimeRoot, id));
      return this.#created(id, state, pid);
    } catch (error) {
      await this.delete(id);
      if (!(error instanceof RuntimeRefusal)) throw error;
      throw classifyStartFailure('create', runtime.name, spec.process.args[0] ?? '', error.output);
    }
  }

  /** Lets the program run. @throws EngineError `conflict` when it runs already. */
  async start(id: string): Promise<void> {
    const state = this.#exits.stateOf(id);
    if (state === undefined) throw notRunning(id);
    if (this.#attached.delete(id) && state.monitor !== undefined) await untilAccepted(state.monitor.pid);
    await this.#launcher.start(id, state);
  }

  /**
   * Sends a signal to the first process, or to all.
   * @throws EngineError `conflict` when the container does not run.
   */
  async kill(id: string, signal: number, options?: { all?: boolean }): Promise<void> {
    const state = this.#stateOf(id);
    if (options?.all === true) {
      for (const pid of cgroupProcesses(this.#cgroups, state.cgroupsPath)) kill(pid, signal);
    } else if (!sendSignal(state.process, signal)) {
      throw notRunning(id);
    }
    if (signal === SIGKILL) await thawToDie(this.#cgroups, state);
  }

  async pause(id: string): Promise<void> {
    await freeze(this.#cgroups, this.#stateOf(id).cgroupsPath);
  }

  async resume(id: string): Promise<void> {
    await thaw(this.#cgroups, this.#stateOf(id).cgroupsPath);
  }

  /** Removes all that is left of a container, killing what still runs of it. Idempotent. */
  async delete(id: string): Promise<void> {
    this.#attached.delete(id);
    this.#exits.forget(id);
    await removeContainer(this.#launcher, this.#paths, id);
  }

  /**
   * The streams of a container, or of an exec. Attach between create and start to miss nothing.
   * @param options.stdin whether this client's end of input (or its leaving) is the container's; default true.
   * @throws EngineError `conflict` when it has ended.
   */
  attach(id: string, execId?: string, options?: { stdin?: boolean }): AttachStream {
    const state = this.#stateOf(id);
    const path = join(execId === undefined ? this.#bundle(id) : this.#execs.bundle(id, execId), 'attach');
    const lingers =
      execId === undefined && options?.stdin === false && state.stdin && !leavesStdinOpen(state);
    try {
      const stream = openAttachStream(path, { pid: () => state.process?.pid, lingers });
      if (execId === undefined) this.#attached.add(id);
      return stream;
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ECONNREFUSED') throw error;
      throw notRunning(id);
    }
  }

  /** Sets the size of the terminal. @throws EngineError `conflict` when there is none (any more). */
  resize(id: string, execId: string | undefined, size: WindowSize): void {
    const { monitor } = execId === undefined ? this.#stateOf(id) : this.#execs.stateOf(id, execId);
    const resized =
      isAlive(monitor) &&
      withTerminalOf(monitor!.pid, fd => {
        setWindowSize(fd, size);
        return true;
      });
    if (resized !== true)
      throw new EngineError('conflict', `container ${id} has no terminal, or is not running`);
  }

  /** Makes the monitor begin a new log file at the path, in place of the one there: rename that away first. */
  reopenLog(id: string): void {
    // conmon, src/ctrl.c: lines of `type height width`; type 2 reopens the log.
    const fd = openSync(join(this.#bundle(id), 'ctl'), constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      writeSync(fd, '2 0 0\n');
    } finally {
      closeSync(fd);
    }
  }

  /** Runs one more program in a container. @throws StartError */
  async exec(id: string, options: ExecOptions): Promise<ExecResult> {
    return this.#execs.start(id, this.#stateOf(id), options);
  }

  /** Kills the program of an exec with all it has started; nothing happens when it has ended. */
  async killExec(id: string, execId: string): Promise<void> {
    await this.#execs.kill(id, execId, this.#stateOf(id));
  }

  /** What a former daemon started in a running container with a note; what has none is killed. */
  async adoptExecs(id: string): Promise<AdoptedExec[]> {
    return this.#execs.adopt(id, this.#stateOf(id));
  }

  /**
   * Runs a container to its end and removes it; the removal may go on when this settles. Aborting kills all of it.
   * @throws StartError; EngineError `cancelled` when aborted.
   */
  async runDirect(options: DirectOptions): Promise<DirectResult> {
    return runToEnd(this, containerId => this.#exits.next(containerId), options);
  }

  /** Changes limits of a running container; what is absent stays. One that ends meanwhile needs them no more. */
  async update(id: string, resources: ResourceInput): Promise<void> {
    const state = this.#stateOf(id);
    const file = join(this.#bundle(id), 'update.json');
    // crun 1.8 has no word for "no limit" here: it writes -1, which the kernel refuses.
    const unlimited = resources.pidsLimit !== undefined && resources.pidsLimit <= 0;
    const asked = unlimited ? { ...resources, pidsLimit: undefined } : resources;
    writeFileSync(file, JSON.stringify(planResources(asked, this.host)), { mode: 0o600 });
    try {
      await this.#launcher.command(state, ['update', '--resources', file, id]);
    } catch (error) {
      if (isAlive(state.process)) throw error;
      return;
    } finally {
      rmSync(file, { force: true });
    }
    const pids = controllerDirectory(this.#cgroups, 'pids', state.cgroupsPath);
    if (unlimited && pids !== undefined) writeCgroupFile(pids, 'pids.max', 'max');
  }

  /** @throws EngineError `conflict` when it does not run. */
  stats(id: string): ContainerStats {
    const stats = readStats(this.#cgroups, this.#stateOf(id).cgroupsPath);
    if (stats === undefined) throw notRunning(id);
    return stats;
  }

  /** Of a running container: how many processes the kernel killed for want of memory, and the most it ever used. */
  memoryPressure(id: string): { oomKills: number; peakBytes?: number } {
    const { cgroupsPath } = this.#stateOf(id);
    return {
      oomKills: oomKills(this.#cgroups, cgroupsPath),
      peakBytes: memoryPeak(this.#cgroups, cgroupsPath),
    };
  }

  /** Host pids of all processes in it. */
  processes(id: string): number[] {
    return cgroupProcesses(this.#cgroups, this.#stateOf(id).cgroupsPath);
  }

  /** `created` is told as `running`: only the engine knows whether it has let it start. */
  state(id: string): { status: 'running' | 'paused' | 'exited' | 'absent'; pid: number } {
    const state = readState(this.#bundle(id));
    if (state === undefined) return { status: 'absent', pid: 0 };
    if (!isAlive(state.process)) return { status: 'exited', pid: 0 };
    const paused = isFrozen(this.#cgroups, state.cgroupsPath);
    return { status: paused ? 'paused' : 'running', pid: state.process!.pid };
  }

  /** Ids of all containers of which anything is left. */
  list(): string[] {
    return listDirectory(this.#paths.containers);
  }

  /** How the last run ended; undefined while it runs, or after delete. */
  readExit(id: string): ExitStatus | undefined {
    return this.#exits.read(id);
  }

  /**
   * Goes on with a container that a former daemon ran. When it runs, its exit will be told to onExit.
   * @returns how it ended, when it ended meanwhile; undefined when it runs; `lost` when nothing is known of it (the
   * machine was restarted, or the former daemon was killed while it created it).
   */
  adopt(id: string): ExitStatus | undefined {
    const state = readState(this.#bundle(id));
    // Docker's code for an end that nobody has seen.
    const lost: ExitStatus = { exitCode: 255, finishedAtMs: Date.now(), oomKilled: false, lost: true };
    if (state === undefined) return this.readExit(id) ?? lost;
    const exit = this.readExit(id);
    if (exit !== undefined) return exit;
    if (state.process === undefined || !(isAlive(state.monitor) || isAlive(state.process))) return lost;
    this.#exits.watchAgain(id, state);
    return undefined;
  }

  /** Removes every container that `known` does not have: what a killed daemon was about to make or to remove. */
  async removeLeftovers(known: ReadonlySet<string>): Promise<string[]> {
    const leftovers = this.list().filter(id => !known.has(id));
    for (const id of leftovers) {
      this.#log.info({ id }, 'removing what is left of a container nobody knows');
      await this.delete(id);
    }
    return leftovers;
  }

  /** Stops watching; containers run on. */
  close(): void {
    this.#exits.close();
    this.#launcher.programs.close();
  }

  #bundle(id: string): string {
    return join(this.#paths.containers, id);
  }

  #stateOf(id: string): ContainerState {
    const state = this.#exits.stateOf(id) ?? readState(this.#bundle(id));
    if (state === undefined) throw notRunning(id);
    return state;
  }

  #created(id: string, before: ContainerState, pid: number): { pid: number; monitorPid: number } {
    const [process, monitor] = [identify(pid), identifyMonitor(pid)];
    if (process === undefined || monitor === undefined) {
      throw new EngineError('internal', `container ${id} ended while it was created`);
    }
    const state = { ...before, process, monitor };
    writeState(this.#bundle(id), state);
    this.#exits.watch(id, state);
    return { pid, monitorPid: monitor.pid };
  }
}

function notRunning(id: string): EngineError {
  return new EngineError('conflict', `container ${id} is not running`);
}
