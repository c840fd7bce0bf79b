import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeRecursively } from '../stdx/remove-recursively.ts';
import type { WorkerPool } from './worker-pool.ts';

const smallEntries = 64;
const smallBytes = 4 << 20;

/**
 * Removes a directory with everything in it. Most containers change next to nothing, and for those a worker (a
 * message there and back, or the 20 ms of starting one) costs more than the work; a large tree would hold up the
 * main thread.
 */
export async function removeTree(path: string, workers: WorkerPool): Promise<void> {
  if (isSmall(path)) removeRecursively(path);
  else await workers.run('removeTree', path);
}

function isSmall(path: string): boolean {
  let entries = 0;
  let bytes = 0;
  const pending = [path];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const stat = lstatSync(next, { throwIfNoEntry: false });
    bytes += stat?.size ?? 0;
    if (++entries > smallEntries || bytes > smallBytes) return false;
    if (stat?.isDirectory()) for (const name of readdirSync(next)) pending.push(join(next, name));
  }
  return true;
}
