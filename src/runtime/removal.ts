import { closeSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CgroupLayout, cgroupProcesses, removeCgroupAside } from '../linux/cgroups.ts';
import { kill, pidfdOpen, pidfdSendSignal, processesWithArguments } from '../linux/process.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import { removeRecursively } from '../stdx/remove-recursively.ts';
import { type ContainerState, isAlive, type ProcessIdentity, readState } from './container-state.ts';
import { isFrozen, thaw } from './freezer.ts';
import type { Launcher } from './launcher.ts';
import type { RuntimePaths } from './paths.ts';
import { SIGKILL } from './signals.ts';

/**
 * Removes all that is left of a container, killing what still runs of it. Idempotent. In process, it takes 0.5 ms
 * where `crun delete` takes 5; that remains for what cannot be removed this way.
 */
export async function removeContainer(launcher: Launcher, paths: RuntimePaths, id: string): Promise<void> {
  const { cgroups, runtimes } = launcher.programs;
  const bundle = join(paths.containers, id);
  const state = readState(bundle);
  if (state !== undefined) {
    if (state.process === undefined) await endCreation(bundle, id);
    await killAll(cgroups, id, state);
    // What a runtime of the administrator's keeps, and where, only it knows.
    const knows = !inProcess.has(state.runtimeName) && runtimes.has(state.runtimeName);
    if (knows) await launcher.command(state, ['delete', '--force', id]);
    await exitNoted(state, join(paths.exits, id));
    if (!(await removeEmptyCgroup(cgroups, state.cgroupsPath))) {
      await launcher.command(state, ['delete', '--force', id]);
    }
  }
  removeRecursively(join(paths.runtimeRoot, id));
  rmSync(join(paths.exits, id), { force: true });
  // Last: while it is there, the next start finds what else is.
  removeRecursively(bundle);
}

const inProcess = new Set(['crun', 'runc']);

/**
 * A creation that was cut off: the monitor and the OCI runtime may be at it still, and what they make from here on
 * would be nobody's. Both have the bundle and the id among their arguments.
 */
async function endCreation(bundle: string, id: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const pids = processesWithArguments([bundle, id]);
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid, SIGKILL);
    await sleep(attempt < 20 ? 1 : 10);
  }
  throw new EngineError('internal', `container ${id}: its creation does not end`);
}

/** What the monitor notes of an end must not come after the removal: it would be taken for the end of the next run. */
async function exitNoted(state: ContainerState, exitFile: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    if (existsSync(exitFile) || !isAlive(state.monitor)) return;
    await sleep(attempt < 20 ? 1 : 10);
  }
}

/** Kills every process of a container, frozen or not, and waits for their end. */
export async function killAll(cgroups: CgroupLayout, id: string, state: ContainerState): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const pids = cgroupProcesses(cgroups, state.cgroupsPath);
    if (!isAlive(state.process) && pids.length === 0) return;
    sendSignal(state.process, SIGKILL);
    for (const pid of pids) kill(pid, SIGKILL);
    await thawToDie(cgroups, state);
    await sleep(attempt < 20 ? 1 : 10);
  }
  throw new EngineError('internal', `container ${id}: processes do not die`);
}

/** A frozen process of cgroup v1 dies only when it thaws. */
export async function thawToDie(cgroups: CgroupLayout, state: ContainerState): Promise<void> {
  if (cgroups.version === 1 && isFrozen(cgroups, state.cgroupsPath)) await thaw(cgroups, state.cgroupsPath);
}

/** @returns false when that very process does not run any more. */
export function sendSignal(identity: ProcessIdentity | undefined, signal: number): boolean {
  if (!isAlive(identity)) return false;
  let pidfd: number;
  try {
    pidfd = pidfdOpen(identity!.pid);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH' || errnoOf(error) === 'EINVAL') return false;
    throw error;
  }
  try {
    // Now that the descriptor holds one process, it is either still the same or never will be.
    return isAlive(identity) && pidfdSendSignal(pidfd, signal);
  } finally {
    closeSync(pidfd);
  }
}

/** Processes that have just died keep it for a moment. */
async function removeEmptyCgroup(cgroups: CgroupLayout, path: string): Promise<boolean> {
  for (let attempt = 0; attempt < 50; attempt++) {
    if (await removeCgroupAside(cgroups, path)) return true;
    await sleep(2);
  }
  return false;
}
