import { lstatSync, readdirSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';

/**
 * Removes a file or a directory with everything in it, also when somebody else removes something in it at the same
 * time: rmSync (Node 26) takes an entry that vanished under its hands for the end of its work, and leaves the rest
 * without a word. Nothing happens when there is nothing.
 */
export function removeRecursively(path: string | Buffer): void {
  if (typeof path === 'string' && isRemovedPlainly(path)) return;
  do rmSync(path, { recursive: true, force: true });
  while (lstatSync(path, { throwIfNoEntry: false }) !== undefined);
}

/**
 * The system calls that it takes, without what rmSync looks up besides: half its time (measured).
 * @returns false when it was not that easy: names that are not UTF-8, somebody else at work in it
 */
function isRemovedPlainly(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return true;
  try {
    if (stat.isDirectory()) removeDirectory(path);
    else unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

function removeDirectory(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const inner = `${path}/${entry.name}`;
    if (entry.isDirectory()) removeDirectory(inner);
    else unlinkSync(inner);
  }
  rmdirSync(path);
}
