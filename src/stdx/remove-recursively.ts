import { lstatSync, rmSync } from 'node:fs';

/**
 * Removes a file or a directory with everything in it, also when somebody else removes something in it at the same
 * time: rmSync (Node 26) takes an entry that vanished under its hands for the end of its work, and leaves the rest
 * without a word. Nothing happens when there is nothing.
 */
export function removeRecursively(path: string | Buffer): void {
  do rmSync(path, { recursive: true, force: true });
  while (lstatSync(path, { throwIfNoEntry: false }) !== undefined);
}
