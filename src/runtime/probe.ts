import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CgroupLayout,
  detectCgroups,
  isMountedElsewhere,
  mountController,
  removeCgroup,
} from '../linux/cgroups.ts';
import { type SealedProgram, sealProgram } from '../linux/sealed-program.ts';
import { runProgram } from '../linux/spawn.ts';
import { EngineError, messageOf } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import { removeRecursively } from '../stdx/remove-recursively.ts';
import { type HostFacts, readHostFacts } from './host-facts.ts';
import { runtimePaths } from './paths.ts';
import { planSpec } from './spec.ts';
import { lastMessage } from './start-error.ts';

export interface RuntimeInfo {
  /** `crun`, `runc`, or a name from the daemon's configuration. */
  name: string;
  /** Absolute path of the program, as users know it. */
  path: string;
  /** What is run: the same, or a sealed copy of it. */
  program: string;
  /** Given to it before the command, each time. */
  args: readonly string[];
  /** As it calls itself: `crun`, `runc`; '' when it does not say. */
  implementation: string;
  version: string;
  cgroupVersion: 1 | 2;
  cgroupDriver: 'cgroupfs';
}

/** An OCI runtime of the administrator's. */
export interface ConfiguredRuntime {
  /** Absolute, or a name to be found where programs are. */
  path: string;
  args: readonly string[];
}

export interface RuntimeChoice {
  /** More OCI runtimes, by name. */
  runtimes?: Readonly<Record<string, ConfiguredRuntime>>;
  /** The name of the one to use by default; otherwise the first that works of crun and runc. */
  defaultRuntime?: string;
}

export interface ProbeOptions extends RuntimeChoice {
  execRoot: string;
  log: Log;
}

export interface Programs {
  conmon: string;
  conmonVersion: string;
  /** By name; the default one is first. */
  runtimes: Map<string, RuntimeInfo>;
  cgroups: CgroupLayout;
  host: HostFacts;
  /** Gives up the sealed copies. */
  close(): void;
}

/** Finds the programs, once: nothing is looked up later. @throws EngineError `internal` naming what is missing. */
export async function probePrograms(options: ProbeOptions): Promise<Programs> {
  const conmon = requireProgram('conmon');
  const candidates = runtimeCandidates(options);
  const failures: string[] = [];
  const runtimes = new Map<string, RuntimeInfo>();
  const copies: SealedProgram[] = [];
  for (const [name, { path, args }] of candidates) {
    // Only the default one is tried out; another may never be used.
    const failure = runtimes.size === 0 ? await tryOut(name, [path, ...args], options) : undefined;
    if (failure !== undefined) failures.push(`${name}: ${failure}`);
    else runtimes.set(name, await describe(name, { path, args }, copies));
  }
  if (runtimes.size === 0) {
    throw new EngineError(
      'internal',
      `no OCI runtime works here: ${failures.join('; ') || `none found in ${places}`}`,
    );
  }
  for (const failure of failures) options.log.warn({ failure }, 'an OCI runtime does not work on this host');
  const cgroups = detectCgroups();
  const conmonVersion =
    /version (\S+)/.exec((await runProgram(conmon, ['--version'])).output)?.[1] ?? 'unknown';
  const close = () => {
    for (const copy of copies.splice(0)) copy.close();
  };
  return { conmon, conmonVersion, runtimes, cgroups, host: readHostFacts(cgroups), close };
}

/**
 * The OCI runtimes of another configuration, for a daemon that runs: crun and runc are as it found them at its start.
 * @param known the default one is first, here as in the answer
 * @throws EngineError `invalid` when one is not there, or the default one does not work here
 */
export async function chooseRuntimes(
  options: ProbeOptions,
  known: ReadonlyMap<string, RuntimeInfo>,
): Promise<Map<string, RuntimeInfo>> {
  const chosen = new Map<string, RuntimeInfo>();
  for (const [name, configured] of runtimeCandidates(options)) {
    const info = foundPrograms.includes(name) ? known.get(name) : await describe(name, configured, []);
    if (info !== undefined) chosen.set(name, info);
  }
  const [first] = chosen.values();
  const [before] = known.values();
  if (first !== undefined && !isSameRuntime(first, before)) {
    const failure = await tryOut(first.name, [first.path, ...first.args], options);
    if (failure !== undefined)
      throw new EngineError('invalid', `default runtime '${first.name}' does not work: ${failure}`);
  }
  return chosen;
}

export function isSameRuntime(one: RuntimeInfo, other: RuntimeInfo | undefined): boolean {
  return one.name === other?.name && one.path === other.path && one.args.join('\0') === other.args.join('\0');
}

const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const places = directories.join(', ');

/** The one place where programs are looked for; $PATH is not consulted. */
export function findProgram(name: string): string | undefined {
  return directories.map(directory => join(directory, name)).find(path => existsSync(path));
}

/** @throws EngineError `internal` naming it. */
export function requireProgram(name: string): string {
  const found = findProgram(name);
  if (found === undefined)
    throw new EngineError('internal', `${name} is not installed (looked in ${places})`);
  return found;
}

/** Not of the configuration: they are looked for. */
const foundPrograms = ['crun', 'runc'];

function runtimeCandidates({ runtimes, defaultRuntime }: RuntimeChoice): [string, ConfiguredRuntime][] {
  const found = new Map<string, ConfiguredRuntime>();
  for (const [name, { path, args }] of Object.entries(runtimes ?? {})) {
    const program = path.includes('/') ? path : requireProgram(path);
    if (!existsSync(program)) throw new EngineError('invalid', `runtime "${name}": there is no ${program}`);
    found.set(name, { path: program, args });
  }
  for (const name of foundPrograms) {
    const path = findProgram(name);
    if (path !== undefined) found.set(name, { path, args: [] });
  }
  if (defaultRuntime !== undefined && !found.has(defaultRuntime)) {
    throw new EngineError('invalid', `specified default runtime '${defaultRuntime}' does not exist`);
  }
  const rank = (name: string) =>
    name === defaultRuntime ? 0 : name === 'crun' ? 1 : name === 'runc' ? 2 : 3;
  return [...found].sort(([a], [b]) => rank(a) - rank(b));
}

async function describe(
  name: string,
  { path, args }: ConfiguredRuntime,
  copies: SealedProgram[],
): Promise<RuntimeInfo> {
  const { implementation, version } = await versionOf(path);
  const copy = name === 'crun' ? await sealedCopy(path, version) : undefined;
  if (copy !== undefined) copies.push(copy);
  const program = copy?.path ?? path;
  return {
    name,
    path,
    program,
    args,
    implementation,
    version,
    cgroupVersion: detectCgroups().version,
    cgroupDriver: 'cgroupfs',
  };
}

async function versionOf(path: string): Promise<Pick<RuntimeInfo, 'implementation' | 'version'>> {
  const { output } = await runProgram(path, ['--version']);
  const [, implementation = '', version = 'unknown'] = /(\S*) version (\S+)/.exec(output) ?? [];
  return { implementation, version };
}

/**
 * crun copies itself into a sealed file in memory each time and runs that (its protection against CVE-2019-5736),
 * unless that is what it was run from: a copy made once saves 2.5 ms for every container and exec.
 * @returns undefined where that does not work
 */
async function sealedCopy(path: string, version: string): Promise<SealedProgram | undefined> {
  let copy: SealedProgram;
  try {
    copy = sealProgram(path, 'crun');
  } catch {
    return undefined;
  }
  try {
    if ((await versionOf(copy.path)).version === version) return copy;
  } catch {
    // It may not be run from there.
  }
  copy.close();
  return undefined;
}

/**
 * On hosts with cgroup v1 that leave hugetlb unmounted crun 1.8 fails. While nobody has mounted it, the controller
 * belongs to the unified hierarchy, which crun will not have beside v1: "cgroups in hybrid mode not supported, drop
 * all controllers from cgroupv2". When it is mounted, but in another mount namespace, crun wants to enter it, as it
 * does every controller of /proc/self/cgroup: "cgroup hugetlb not found"; or, where the mount point was left behind,
 * it makes mere directories there, which nobody removes. Mounting it helps in all cases; runc does not mind.
 * @returns why it does not work; undefined when it does.
 */
async function tryOut(
  name: string,
  command: readonly [path: string, ...args: string[]],
  options: ProbeOptions,
): Promise<string | undefined> {
  let failure: string | undefined;
  if (!isMountedElsewhere('hugetlb')) {
    failure = await runTrial(command, options.execRoot);
    const mountHelps = failure !== undefined && /hugetlb|hybrid mode/.test(failure);
    if (!mountHelps || detectCgroups().controllers.has('hugetlb')) return failure;
  }
  try {
    mountController('hugetlb');
  } catch (error) {
    return `${failure ?? 'no hugetlb hierarchy'} (and mounting hugetlb: ${messageOf(error)})`;
  }
  options.log.info({ runtime: name }, 'mounted the hugetlb cgroup hierarchy, which the OCI runtime needs');
  return runTrial(command, options.execRoot);
}

/**
 * A container with an empty root, made as real ones are: everything works when the one complaint is that its program
 * is not there.
 */
async function runTrial(
  [path, ...args]: readonly [string, ...string[]],
  execRoot: string,
): Promise<string | undefined> {
  const id = `trial-${process.pid}`;
  const bundle = join(execRoot, id);
  const cgroups = detectCgroups();
  const cgroupsPath = `/gantry-${id}`;
  mkdirSync(join(bundle, 'rootfs'), { recursive: true, mode: 0o700 });
  try {
    const spec = planSpec(trialInput(id, join(bundle, 'rootfs'), cgroupsPath), readHostFacts(cgroups));
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
    const root = runtimePaths(execRoot).runtimeRoot;
    const { output } = await runProgram(path, [...args, '--root', root, 'run', '--bundle', bundle, id]);
    // With --debug it says a lot before, of its handling of cgroups as well.
    const complaint = lastMessage(output);
    return /not found in \$PATH|no such file or directory/i.test(complaint) && !complaint.includes('cgroup')
      ? undefined
      : output.trim() || 'it says nothing';
  } finally {
    removeCgroup(cgroups, cgroupsPath);
    removeRecursively(bundle);
    removeRecursively(join(runtimePaths(execRoot).runtimeRoot, id));
  }
}

function trialInput(id: string, rootfs: string, cgroupsPath: string) {
  const isolated = 'private' as const;
  return {
    id,
    rootfs,
    hostname: 'trial',
    process: {
      args: ['/no-such-program'],
      env: [],
      cwd: '/',
      uid: 0,
      gid: 0,
      tty: false,
      capabilities: { add: [], drop: [], privileged: false },
    },
    mounts: [],
    shmSizeBytes: 1 << 20,
    namespaces: {
      pid: isolated,
      ipc: isolated,
      uts: isolated,
      network: isolated,
      cgroup: 'host' as const,
      user: 'host' as const,
    },
    resources: {},
    cgroupsPath,
    security: { seccomp: 'default' as const },
  };
}
