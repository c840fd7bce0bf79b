import { setTimeout as sleep } from 'node:timers/promises';
import { type CgroupLayout, controllerDirectory, readCgroupFile, writeCgroupFile } from '../linux/cgroups.ts';
import { EngineError } from '../stdx/errors.ts';

/** Stops all processes of a cgroup where they are; returns when all have stopped. */
export async function freeze(layout: CgroupLayout, path: string): Promise<void> {
  await change(layout, path, true);
}

export async function thaw(layout: CgroupLayout, path: string): Promise<void> {
  await change(layout, path, false);
}

export function isFrozen(layout: CgroupLayout, path: string): boolean {
  const directory = freezerOf(layout, path);
  if (layout.version === 2) return /^frozen 1$/m.test(readCgroupFile(directory, 'cgroup.events') ?? '');
  return readCgroupFile(directory, 'freezer.state')?.trim() === 'FROZEN';
}

const ATTEMPTS = 1000;

async function change(layout: CgroupLayout, path: string, frozen: boolean): Promise<void> {
  const directory = freezerOf(layout, path);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // In v1 a process that forks meanwhile may keep it in FREEZING until it is written again (cgroup-v1, freezer-subsystem.rst).
    if (layout.version === 2) writeCgroupFile(directory, 'cgroup.freeze', frozen ? '1' : '0');
    else writeCgroupFile(directory, 'freezer.state', frozen ? 'FROZEN' : 'THAWED');
    if (isFrozen(layout, path) === frozen) return;
    await sleep(attempt < 10 ? 1 : 10);
  }
  if (frozen) await change(layout, path, false);
  throw new EngineError(
    'internal',
    `the kernel could not ${frozen ? 'freeze' : 'thaw'} all processes within 10 s`,
  );
}

function freezerOf(layout: CgroupLayout, path: string): string {
  const directory = controllerDirectory(layout, 'freezer', path);
  if (directory === undefined)
    throw new EngineError('notImplemented', 'this host has no freezer cgroup hierarchy');
  return directory;
}
