import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeProcess } from '../oci/runtime-spec.ts';
import { EngineError } from '../stdx/errors.ts';
import { removeRecursively } from '../stdx/remove-recursively.ts';
import { type AttachStream, openAttachStream } from './attach.ts';
import {
  type ContainerState,
  identify,
  identifyMonitor,
  isAlive,
  readExitFile,
  readState,
  writeState,
} from './container-state.ts';
import { hostOwnerOf, idMappingsOf } from './id-mappings.ts';
import type { Launcher } from './launcher.ts';
import { type MonitorAnswer, RuntimeRefusal } from './monitor.ts';
import type { RuntimePaths } from './paths.ts';
import { sendSignal } from './removal.ts';
import { classifyStartFailure } from './start-error.ts';

export interface ExecOptions {
  execId: string;
  process: RuntimeProcess;
  stdin: boolean;
  /** Called before the program starts, with its streams; absent: detached. */
  attached?: (stream: AttachStream) => void;
}

export interface ExecResult {
  /** Host pid. */
  pid: number;
  /** Never rejects; 137 when the monitor was killed. */
  exitCode: Promise<number>;
}

/** Further programs in running containers, each with a monitor and a bundle of its own. */
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
    const { execId, process, stdin, attached } = options;
    if (!isAlive(container.process)) throw new EngineError('conflict', `container ${id} is not running`);
    const bundle = this.bundle(id, execId);
    mkdirSync(join(bundle, 'exits'), { recursive: true, mode: 0o700 });
    const processPath = join(bundle, 'process.json');
    writeFileSync(processPath, JSON.stringify(process), { mode: 0o600 });
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
      const answer = await this.#launcher.monitor(id, bundle, state, {
        processPath,
        beforeStart,
        streamOwner: mappings && hostOwnerOf(process.user, mappings),
      });
      pid = answer.pid;
      writeState(bundle, { ...state, process: identify(pid), monitor: identifyMonitor(pid) });
      return { pid, exitCode: this.#exitCode(answer, id, execId) };
    } catch (error) {
      stream?.close();
      removeRecursively(bundle);
      if (!(error instanceof RuntimeRefusal)) throw error;
      throw classifyStartFailure('exec', container.runtimeName, process.args[0] ?? '', error.output);
    }
  }

  /** Nothing happens when it has ended. */
  kill(id: string, execId: string, signal: number): void {
    sendSignal(readState(this.bundle(id, execId))?.process, signal);
  }

  /** Exit code of an exec that a former daemon started; undefined while it runs, or when it is unknown. */
  readExit(id: string, execId: string): number | undefined {
    return readExitFile(join(this.bundle(id, execId), 'exits', id))?.exitCode;
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

  async #exitCode(answer: MonitorAnswer, id: string, execId: string): Promise<number> {
    const exitCode = await answer.exitCode;
    if (exitCode === undefined || exitCode < 0) return this.readExit(id, execId) ?? 137;
    // Later attaches and resizes find nothing, as they should.
    removeRecursively(this.bundle(id, execId));
    return exitCode;
  }
}
