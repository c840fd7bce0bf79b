import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const cgroupRoot = '/sys/fs/cgroup';

/** The roots of all cgroup hierarchies: one on v2, one per controller on v1. */
function hierarchies(): string[] {
  if (existsSync(join(cgroupRoot, 'cgroup.controllers'))) return [cgroupRoot];
  return readdirSync(cgroupRoot, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(entry => join(cgroupRoot, entry.name));
}

/** All cgroups whose own name holds `part` (a container id, a test's parent), as absolute paths. */
export function findCgroups(part: string): string[] {
  const found: string[] = [];
  const walk = (directory: string, depth: number): void => {
    for (const name of subdirectories(directory)) {
      const path = join(directory, name);
      if (name.includes(part)) found.push(path);
      else if (depth > 0) walk(path, depth - 1);
    }
  };
  for (const root of hierarchies()) walk(root, 3);
  return found;
}

/** The names of all cgroups down to the depth where containers are. */
export function cgroupNames(): Set<string> {
  const names = new Set<string>();
  const walk = (directory: string, depth: number): void => {
    for (const name of subdirectories(directory)) {
      names.add(name);
      if (depth > 0) walk(join(directory, name), depth - 1);
    }
  };
  for (const root of hierarchies()) walk(root, 3);
  return names;
}

/** As findCgroups, for many whole names at once: by name. */
export function cgroupsNamed(names: ReadonlySet<string>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const walk = (directory: string, depth: number): void => {
    for (const name of subdirectories(directory)) {
      const path = join(directory, name);
      if (names.has(name)) found.set(name, [...(found.get(name) ?? []), path]);
      else if (depth > 0 && !/^[0-9a-f]{64}$/.test(name)) walk(path, depth - 1);
    }
  };
  for (const root of hierarchies()) walk(root, 3);
  return found;
}

/** Removes an emptied cgroup and all below it, in every hierarchy. The kernel may lag behind the processes. */
export async function removeCgroups(name: string): Promise<void> {
  for (const root of hierarchies()) {
    const top = join(root, name);
    for (let attempt = 0; existsSync(top) && attempt < 3000; attempt++) {
      removeTree(top);
      if (existsSync(top)) await sleep(20);
    }
  }
}

function removeTree(directory: string): void {
  for (const name of subdirectories(directory)) removeTree(join(directory, name));
  try {
    rmdirSync(directory);
  } catch {
    // Still holds dying processes: the caller tries again.
  }
}

function subdirectories(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name);
  } catch {
    return []; // removed while we looked
  }
}

/**
 * The cgroups with a container's id that processes of one world sit in, given that world's /proc: what a
 * daemon without a cgroup parent of its own would leave empty once its world has ended.
 */
export function containerCgroups(proc: string): string[] {
  const paths = new Set<string>();
  for (const { directory } of processesSeenIn(proc)) {
    for (const line of readIfThere(join(directory, 'cgroup')).split('\n')) {
      const path = line.split(':').slice(2).join(':');
      if (/[0-9a-f]{64}/.test(path)) paths.add(path);
    }
  }
  return [...paths];
}

export interface SeenProcess {
  /** Pid in the namespace that this /proc shows. */
  pid: number;
  /** Its folder in that /proc, readable from outside. */
  directory: string;
  name: string;
}

/** The processes that a /proc shows; `/proc/<init>/root/proc` shows a world's, its containers' included. */
export function processesSeenIn(proc: string): SeenProcess[] {
  return readdirSync(proc)
    .filter(name => /^\d+$/.test(name))
    .map(name => {
      const directory = join(proc, name);
      return { pid: Number(name), directory, name: readIfThere(join(directory, 'comm')).trim() };
    });
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process has ended
  }
}

/** Pids in a cgroup, for tests that ask whether anything was left running. */
export function processesIn(cgroup: string): number[] {
  return readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
}
