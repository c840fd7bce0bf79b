import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../linux/spawn.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import type { ContainerState } from './container-state.ts';
import { type MonitorAnswer, type MonitorOptions, startMonitor } from './monitor.ts';
import type { RuntimePaths } from './paths.ts';
import type { Programs, RuntimeInfo } from './probe.ts';
import { lastMessage } from './start-error.ts';

/** Runs the programs: a monitor per container and exec, and the OCI runtimes where they are needed by themselves. */
export class Launcher {
  readonly programs: Programs;
  readonly #paths: RuntimePaths;

  constructor(programs: Programs, paths: RuntimePaths) {
    this.programs = programs;
    this.#paths = paths;
  }

  /** @throws EngineError invalid */
  runtimeNamed(name: string | undefined): RuntimeInfo {
    const { runtimes } = this.programs;
    const found = name === undefined ? runtimes.values().next().value : runtimes.get(name);
    if (found === undefined) throw new EngineError('invalid', `unknown or invalid runtime name: ${name}`);
    return found;
  }

  /**
   * Starts a monitor, which creates the container, or runs the exec.
   * @param bundle that of the exec, if it is one.
   */
  monitor(
    id: string,
    bundle: string,
    state: ContainerState,
    exec?: MonitorOptions['exec'],
  ): Promise<MonitorAnswer> {
    const runtime = this.runtimeNamed(state.runtimeName);
    return startMonitor({
      conmon: this.programs.conmon,
      runtime: { path: runtime.program, args: [...runtime.args, '--root', this.#paths.runtimeRoot] },
      id,
      bundle,
      pidFile: join(bundle, 'pid'),
      exitDirectory: exec === undefined ? this.#paths.exits : join(bundle, 'exits'),
      socketDirectory: this.#paths.sockets,
      logPath: state.logPath,
      tty: state.tty,
      stdin: state.stdin,
      leaveStdinOpen: leavesStdinOpen(state),
      ...(exec === undefined ? {} : { exec }),
    });
  }

  /** Lets a created container's program run. */
  async start(id: string, state: ContainerState): Promise<void> {
    if (this.runtimeNamed(state.runtimeName).name === 'crun' && this.#openGate(id)) return;
    await this.command(state, ['start', id]);
  }

  /** Runs the container's OCI runtime. @throws EngineError internal, with what it wrote. */
  async command(state: ContainerState, args: string[]): Promise<void> {
    const runtime = this.runtimeNamed(state.runtimeName);
    const { exitCode, output } = await runProgram(runtime.program, [
      ...runtime.args,
      '--root',
      this.#paths.runtimeRoot,
      ...args,
    ]);
    if (exitCode !== 0)
      throw new EngineError('internal', `${runtime.name} ${args[0]}: ${lastMessage(output)}`);
  }

  /**
   * What `crun start` does, without the 4 ms of a process: the container's first process waits to read a byte from
   * this fifo, and whoever writes it removes the fifo (crun, src/libcrun/status.c).
   * @returns false when this crun has no such gate.
   */
  #openGate(id: string): boolean {
    const gate = join(this.#paths.runtimeRoot, id, 'exec.fifo');
    let fd: number;
    try {
      fd = openSync(gate, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      // No gate, or nobody behind it: `crun start` knows why, and says so.
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENXIO') return false;
      throw error;
    }
    try {
      unlinkSync(gate);
      writeSync(fd, Buffer.from([0]));
      return true;
    } finally {
      closeSync(fd);
    }
  }
}

/** A terminal's input never ends; neither does one that outlives its clients. */
export function leavesStdinOpen(state: ContainerState): boolean {
  return state.tty || !state.stdinOnce;
}
