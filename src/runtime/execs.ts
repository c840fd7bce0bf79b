import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupProcesses } from '../linux/cgroups.ts';
import { waitForExitOfAny } from '../linux/exit-code.ts';
import { kill, parentOf, sessionOf } from '../linux/process.ts';
import type { RuntimeProcess } from '../oci/runtime-spec.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import { removeRecursively } from '../stdx/remove-recursively.ts';
import { type AttachStream, onProcessEnd, openAttachStream } from './attach.ts';
import { startAttachedExec } from './attached-exec.ts';
import {
  type ContainerState,
  identify,
  identifyMonitor,
  isAlive,
  listDirectory,
  readExitFile,
  readState,
  writeState,
} from './container-state.ts';
import { hostOwnerOf, idMappingsOf } from './id-mappings.ts';
import type { Launcher } from './launcher.ts';
import { type MonitorAnswer, RuntimeRefusal } from './monitor.ts';
import type { RuntimePaths } from './paths.ts';
import { SIGKILL } from './signals.ts';
import { classifyStartFailure } from './start-error.ts';
import { looksStartable } from './startable.ts';

export interface ExecOptions {
  execId: string;
  process: RuntimeProcess;
  stdin: boolean;
  /** JSON that the next daemon gets back with it. Absent: it is nobody's after this daemon, and is killed. */
  note?: unknown;
  /** Called before the program starts, with its streams; absent: detached. */
  attached?: (stream: AttachStream) => void;
}

export interface ExecResult {
  /** Host pid. */
  pid: number;
  /** Never rejects; 137 when the monitor was killed. */
  exitCode: Promise<number>;
}

/** One that a former daemon started. */
export interface AdoptedExec extends ExecResult {
  execId: string;
  note: unknown;
}

/**
 * Further programs in running containers, each with a bundle of its own. A monitor holds those that have a terminal or
 * no client; where the runtime is crun, the daemon holds the others itself (attached-exec.ts). The next daemon sees the
 * end of those, and their exit code if it was there then and the kernel says it (Linux 6.15).
 */
export class Execs {
  readonly #launcher: Launcher;
  readonly #paths: RuntimePaths;

  constructor(launcher: Launcher, paths: RuntimePaths) {
    this.#launcher = launcher;
    this.#paths = paths;
  }

  /**
   * Without input the monitor hands /dev/null to the program, and crun 1.8 gives a program's streams to its user:
   * the host's own /dev/null would belong to whoever has that id in the container. Users other than root therefore
   * get an input that has ended.
   * @param container the state of the container it runs in. @throws StartError
   */
  async start(id: string, container: ContainerState, options: ExecOptions): Promise<ExecResult> {
    const { execId, process, stdin, attached, note } = options;
    if (!isAlive(container.process)) throw new EngineError('conflict', `Container ${id} is not running`);
    const bundle = this.bundle(id, execId);
    mkdirSync(join(bundle, 'exits'), { recursive: true, mode: 0o700 });
    const processPath = join(bundle, 'process.json');
    writeFileSync(processPath, JSON.stringify(process), { mode: 0o600 });
    if (note !== undefined) writeFileSync(join(bundle, 'note.json'), JSON.stringify(note), { mode: 0o600 });
    let pid: number | undefined;
    let stream: AttachStream | undefined;
    const tty = process.terminal === true;
    const emptyInput = !stdin && !tty && process.user.uid !== 0;
    const mappings = idMappingsOf(container.process!.pid);
    const beforeStart = () => {
      if (attached === undefined && !emptyInput) return;
      stream = openAttachStream(join(bundle, 'attach'), { pid: () => pid });
      if (emptyInput) stream.closeStdin();
      attached?.(stream);
    };
    const state: ContainerState = {
      ...container,
      tty,
      stdin: stdin || emptyInput,
      stdinOnce: true,
      logPath: null,
    };
    try {
      // What crun leaves of a program that it could not start only a monitor would clear away at once.
      const isDirect =
        attached !== undefined &&
        !tty &&
        mappings === undefined &&
        container.runtimeName === 'crun' &&
        looksStartable(`/proc/${container.process!.pid}/root`, process);
      if (isDirect) {
        const { pid, exitCode } = await startAttachedExec({
          crun: this.#launcher.runtimeNamed('crun').program,
          runtimeRoot: this.#paths.runtimeRoot,
          containerId: id,
          bundle,
          processPath,
          input: stdin ? 'open' : emptyInput ? 'empty' : 'none',
          attached,
        });
        noteState(bundle, { ...state, process: identify(pid), monitor: undefined });
        return { pid, exitCode: this.#cleared(exitCode, id, execId) };
      }
      const answer = await this.#launcher.monitor(id, bundle, state, {
        processPath,
        runtimeLog: join(bundle, 'log'),
        beforeStart,
        streamOwner: mappings && hostOwnerOf(process.user, mappings),
      });
      pid = answer.pid;
      noteState(bundle, { ...state, process: identify(pid), monitor: identifyMonitor(pid) });
      return { pid, exitCode: this.#exitCode(answer, id, execId) };
    } catch (error) {
      stream?.close();
      removeRecursively(bundle);
      // It ended meanwhile, and its files with it.
      if (!isAlive(container.process)) throw new EngineError('conflict', `Container ${id} is not running`);
      if (!(error instanceof RuntimeRefusal)) throw error;
      throw classifyStartFailure('exec', container.runtimeName, process.args[0] ?? '', error.output);
    }
  }

  /**
   * Kills the program with all it has started: its descendants, and what shares its session. What has made itself a
   * session of its own and lost its parents is a daemon on purpose, and stays.
   */
  async kill(id: string, execId: string, container: ContainerState): Promise<void> {
    const state = readState(this.bundle(id, execId));
    if (state?.process === undefined) return;
    const { pid } = state.process;
    // What is forked while we look is found in the next round.
    for (let round = 0; round < 20; round++) {
      const tree = treeOf(pid, cgroupProcesses(this.#launcher.programs.cgroups, container.cgroupsPath));
      if (tree.length === 0) return;
      for (const member of tree) kill(member, SIGKILL);
      await sleep(round + 1);
    }
  }

  /**
   * Goes on with what a former daemon started in a container that runs. Those without a note are killed; so is what
   * was cut off before it ran.
   */
  async adopt(id: string, container: ContainerState): Promise<AdoptedExec[]> {
    const adopted: AdoptedExec[] = [];
    for (const execId of listDirectory(join(this.#paths.containers, id, 'e'))) {
      const bundle = this.bundle(id, execId);
      const note = readNote(bundle);
      const state = readState(bundle) ?? this.#stateOfUnfinished(bundle, container);
      if (note === undefined || state?.process === undefined) {
        await this.kill(id, execId, container);
        removeRecursively(bundle);
        continue;
      }
      adopted.push({
        execId,
        note,
        pid: state.process.pid,
        exitCode: this.#adoptedExitCode(id, execId, state),
      });
    }
    return adopted;
  }

  /** @throws EngineError `conflict` when it has ended. */
  stateOf(id: string, execId: string): ContainerState {
    const state = readState(this.bundle(id, execId));
    if (state === undefined) throw new EngineError('conflict', 'the exec is not running');
    return state;
  }

  bundle(id: string, execId: string): string {
    return join(this.#paths.containers, id, 'e', execId);
  }

  /** The former daemon was killed before it noted whom it had started; the OCI runtime has noted its pid. */
  #stateOfUnfinished(bundle: string, container: ContainerState): ContainerState | undefined {
    const pid = readPidFile(join(bundle, 'pid'));
    const inside = cgroupProcesses(this.#launcher.programs.cgroups, container.cgroupsPath);
    if (pid === undefined || !inside.includes(pid)) return undefined;
    const state = { ...container, logPath: null, process: identify(pid), monitor: identifyMonitor(pid) };
    writeState(bundle, state);
    return state;
  }

  async #adoptedExitCode(id: string, execId: string, state: ContainerState): Promise<number> {
    const { process, monitor } = state;
    // One that the former daemon held itself has no monitor.
    const told = monitor === undefined && isAlive(process) ? await waitForExitOfAny(process!.pid) : undefined;
    if (isAlive(monitor)) await new Promise<void>(resolve => onProcessEnd(monitor!.pid, resolve));
    const exitCode = told ?? this.#readExit(id, execId) ?? 137;
    removeRecursively(this.bundle(id, execId));
    return exitCode;
  }

  #readExit(id: string, execId: string): number | undefined {
    return readExitFile(join(this.bundle(id, execId), 'exits', id))?.exitCode;
  }

  async #exitCode(answer: MonitorAnswer, id: string, execId: string): Promise<number> {
    const exitCode = await answer.exitCode;
    if (exitCode === undefined || exitCode < 0) return this.#readExit(id, execId) ?? 137;
    this.#clear(id, execId);
    return exitCode;
  }

  async #cleared(ended: Promise<number>, id: string, execId: string): Promise<number> {
    const exitCode = await ended;
    this.#clear(id, execId);
    return exitCode;
  }

  /** Later attaches and resizes find nothing, as they should. */
  #clear(id: string, execId: string): void {
    removeRecursively(this.bundle(id, execId));
  }
}

/** Of the processes given, those of the session of `leader` and its descendants. */
function treeOf(leader: number, pids: readonly number[]): number[] {
  const members = new Set(pids.filter(pid => pid === leader || sessionOf(pid) === leader));
  for (let before = -1; before < members.size; ) {
    before = members.size;
    for (const pid of pids) if (members.has(parentOf(pid) ?? 0)) members.add(pid);
  }
  return [...members].filter(pid => identify(pid) !== undefined);
}

function readPidFile(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8')) || undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function readNote(bundle: string): unknown {
  try {
    return JSON.parse(readFileSync(join(bundle, 'note.json'), 'utf8'));
  } catch (error) {
    // Cut off while it was written: then the program had not started either.
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The container may have ended, and its folder with it, while the program was started: then nobody will ask. */
function noteState(bundle: string, state: ContainerState): void {
  try {
    writeState(bundle, state);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
