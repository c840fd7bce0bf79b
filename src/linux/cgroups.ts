import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../stdx/errors.ts';
import { CGROUP2_SUPER_MAGIC } from './constants.ts';
import { statfs } from './files.ts';
import { listMounts, mount } from './mount.ts';

/** Where this host's cgroup hierarchies are mounted. */
export interface CgroupLayout {
  /** 2: one unified hierarchy with all controllers. 1: one hierarchy per controller, a unified one perhaps beside. */
  version: 1 | 2;
  /** Controller -> mount point (v1), e.g. memory -> /sys/fs/cgroup/memory; named ones too (`name=systemd`). */
  controllers: ReadonlyMap<string, string>;
  /** Mount point of the unified hierarchy. */
  unified: string | undefined;
}

export const CGROUP_ROOT = '/sys/fs/cgroup';

export function detectCgroups(): CgroupLayout {
  if (statfs(CGROUP_ROOT).type === CGROUP2_SUPER_MAGIC) {
    return { version: 2, controllers: new Map(), unified: CGROUP_ROOT };
  }
  const controllers = new Map<string, string>();
  let unified: string | undefined;
  for (const entry of listMounts(CGROUP_ROOT)) {
    if (entry.type === 'cgroup2') unified ??= entry.mountPoint;
    if (entry.type !== 'cgroup') continue;
    for (const option of entry.superOptions) {
      if (knownControllers.has(option) || option.startsWith('name='))
        controllers.set(option, entry.mountPoint);
    }
  }
  return { version: 1, controllers, unified };
}

/** Whether the controller has a v1 hierarchy, which this mount namespace does not see. */
export function isMountedElsewhere(controller: string): boolean {
  const { version, controllers } = detectCgroups();
  if (version === 2 || controllers.has(controller)) return false;
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n');
  return lines.some(line => line.split(':')[1]?.split(',').includes(controller));
}

/** Mounts the hierarchy of one v1 controller where it belongs. */
export function mountController(controller: string): void {
  const target = join(CGROUP_ROOT, controller);
  mkdirSync(target, { recursive: true });
  mount({ source: 'cgroup', target, type: 'cgroup', data: controller });
}

/** The directories of one cgroup: one per hierarchy, existing or not. @param path `/gantry/<id>` */
export function cgroupDirectories(layout: CgroupLayout, path: string): string[] {
  const roots = new Set(layout.controllers.values());
  if (layout.unified !== undefined) roots.add(layout.unified);
  return [...roots].map(root => join(root, path));
}

/** Directory of the cgroup in the hierarchy of a controller; undefined where there is none. */
export function controllerDirectory(
  layout: CgroupLayout,
  controller: string,
  path: string,
): string | undefined {
  const root = layout.version === 2 ? layout.unified : layout.controllers.get(controller);
  return root === undefined ? undefined : join(root, path);
}

/** @returns undefined when the file or the cgroup is not there (any more). */
export function readCgroupFile(directory: string, name: string): string | undefined {
  try {
    return readFileSync(join(directory, name), 'utf8');
  } catch (error) {
    if (isGone(error) || errnoOf(error) === 'ENOTSUP') return undefined;
    throw error;
  }
}

export function writeCgroupFile(directory: string, name: string, value: string): void {
  writeFileSync(join(directory, name), value);
}

/** Host pids of all processes in the cgroup and below it. */
export function cgroupProcesses(layout: CgroupLayout, path: string): number[] {
  const directory = processDirectory(layout, path);
  return directory === undefined ? [] : processesBelow(directory);
}

/** @returns false while processes or mounts keep it. Everything below goes too; what is not there is no error. */
export function removeCgroup(layout: CgroupLayout, path: string): boolean {
  return cgroupDirectories(layout, path)
    .map(directory => removeTree(directory))
    .every(removed => removed);
}

/** As removeCgroup(), of one that likely has nothing below it. The kernel may take its time: others do the waiting. */
export async function removeCgroupAside(layout: CgroupLayout, path: string): Promise<boolean> {
  const attempts = await Promise.allSettled(
    cgroupDirectories(layout, path).map(directory => rmdir(directory)),
  );
  const removed = attempts.every(attempt => attempt.status === 'fulfilled' || isGone(attempt.reason));
  return removed || removeCgroup(layout, path);
}

const knownControllers = new Set(
  'cpuset cpu cpuacct blkio memory devices freezer net_cls perf_event net_prio hugetlb pids rdma misc'.split(
    ' ',
  ),
);

/** A hierarchy that surely has the container's processes. */
function processDirectory(layout: CgroupLayout, path: string): string | undefined {
  for (const controller of ['pids', 'memory', 'freezer', 'devices', 'cpu']) {
    const directory = controllerDirectory(layout, controller, path);
    if (directory !== undefined) return directory;
  }
  return undefined;
}

function processesBelow(directory: string): number[] {
  const pids = (readCgroupFile(directory, 'cgroup.procs') ?? '').split('\n').filter(Boolean).map(Number);
  for (const name of subdirectories(directory)) pids.push(...processesBelow(join(directory, name)));
  return pids;
}

function removeTree(directory: string): boolean {
  if (removeEmpty(directory)) return true;
  for (const name of subdirectories(directory)) removeTree(join(directory, name));
  return removeEmpty(directory);
}

function removeEmpty(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (isGone(error)) return true;
    // Busy: has processes, or cgroups below it.
    if (errnoOf(error) === 'EBUSY' || errnoOf(error) === 'ENOTEMPTY') return false;
    throw error;
  }
}

function subdirectories(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => entry.name);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** ENODEV is what files of a cgroup answer that was removed while they were open. */
function isGone(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'ENOENT' || code === 'ENODEV' || code === 'ENOTDIR';
}

/**
 * A file of the cgroup this process is in: the unified one, or on v1 the freezer's.
 * @returns undefined when this process is in none that can be seen.
 */
export function ownCgroupFile(name: string): string | undefined {
  // proc(5): `hierarchy:controllers:path`; the unified hierarchy is number 0 and names no controllers.
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n');
  const v1 = lines.find(line => line.split(':')[1] === 'freezer');
  const v2 = lines.find(line => line.startsWith('0::'));
  const [line, root] = v1 === undefined ? [v2, CGROUP_ROOT] : [v1, join(CGROUP_ROOT, 'freezer')];
  const path = line === undefined ? undefined : join(root, line.slice(line.lastIndexOf(':') + 1), name);
  return path !== undefined && existsSync(path) ? path : undefined;
}
