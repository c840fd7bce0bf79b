import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getProcessStartTime, parentOf, processExists } from '../linux/process.ts';
import type { RuntimeSpec } from '../oci/runtime-spec.ts';
import { errnoOf } from '../stdx/errors.ts';

/** state.json of a container: what the next daemon needs to know to go on with it. */
export interface ContainerState {
  /** As its spec says. */
  cgroupsPath: string;
  runtimeName: string;
  tty: boolean;
  /** Input ends when an attached client ends its own. */
  stdinOnce: boolean;
  stdin: boolean;
  logPath: string | null;
  /** Absent until the OCI runtime has created it. */
  process?: ProcessIdentity;
  monitor?: ProcessIdentity;
}

/** A pid, and what tells it from a later process with the same number. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot, decimal. */
  startTime: string;
}

/** How a container's last run ended. */
export interface ExitStatus {
  /** 128 and the signal's number, when a signal ended it. */
  exitCode: number;
  finishedAtMs: number;
  oomKilled: boolean;
  /** The most it used, when that was too much. */
  memoryPeakBytes?: number;
  /**
   * The monitor was killed, so nobody knows how the container ended. It was then killed too, as containerd does when
   * its shim is gone, and the exit code is SIGKILL's, 137.
   */
  lost?: boolean;
}

export function identify(pid: number): ProcessIdentity | undefined {
  const startTime = getProcessStartTime(pid);
  return startTime === undefined ? undefined : { pid, startTime: String(startTime) };
}

/** The monitor is the parent of the container's first process, and stays it. */
export function identifyMonitor(pid: number): ProcessIdentity | undefined {
  const parent = parentOf(pid);
  return parent === undefined || parent <= 1 ? undefined : identify(parent);
}

export function isAlive(identity: ProcessIdentity | undefined): boolean {
  return identity !== undefined && processExists(identity.pid, BigInt(identity.startTime));
}

export function writeState(bundle: string, state: ContainerState): void {
  // No fsync: a crash of the machine ends the container, and empties the exec-root.
  writeFileSync(join(bundle, 'state.json.new'), JSON.stringify(state));
  renameSync(join(bundle, 'state.json.new'), join(bundle, 'state.json'));
}

/** @returns undefined when there is no such container. */
export function readState(bundle: string): ContainerState | undefined {
  try {
    return JSON.parse(readFileSync(join(bundle, 'state.json'), 'utf8')) as ContainerState;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (error instanceof SyntaxError) return stateFromElsewhere(bundle);
    throw error;
  }
}

/** Of a damaged state.json: what runs is found by the file that the monitor wrote, and by its cgroup. */
function stateFromElsewhere(bundle: string): ContainerState {
  const { linux, process: program } = JSON.parse(
    readFileSync(join(bundle, 'config.json'), 'utf8'),
  ) as RuntimeSpec;
  const pid = Number(readIfThere(join(bundle, 'pid')));
  const isOurs = pid > 0 && readIfThere(`/proc/${pid}/cgroup`).includes(linux.cgroupsPath);
  return {
    cgroupsPath: linux.cgroupsPath,
    runtimeName: 'crun',
    tty: program.terminal === true,
    stdin: false,
    stdinOnce: false,
    logPath: null,
    ...(isOurs ? { process: identify(pid), monitor: identifyMonitor(pid) } : {}),
  };
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The exit file of the monitor: the exit code in decimal; its time is when the container ended. */
export function readExitFile(path: string): { exitCode: number; finishedAtMs: number } | undefined {
  try {
    return {
      exitCode: Number.parseInt(readFileSync(path, 'utf8'), 10),
      finishedAtMs: statSync(path).mtimeMs,
    };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export function listDirectory(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}
