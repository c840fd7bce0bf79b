import { closeSync, constants, fstatSync } from 'node:fs';
import { O_PATH } from '../linux/constants.ts';
import { openInRoot, readFileInRoot } from '../linux/files.ts';
import { errnoOf } from '../stdx/errors.ts';

/**
 * Quick looks into a root directory from the main thread: the kernel resolves the path as inside of it (openat2(2)),
 * and nothing is written. For everything else there is ConfinedRoot.
 */

/** A text file like /etc/passwd; undefined when it is missing. @throws EngineError `invalid` for what is no regular file or too large. */
export function readRootFile(root: string, path: string, limitBytes = 1 << 20): string | undefined {
  return readFileInRoot(root, path, limitBytes)?.toString('utf8');
}

export function rootDirectoryExists(root: string, path: string): boolean {
  return rootDirectoryMode(root, path) !== undefined;
}

/** Permission bits of a directory; undefined when there is none. */
export function rootDirectoryMode(root: string, path: string): number | undefined {
  try {
    const fd = openInRoot(root, path, O_PATH | constants.O_DIRECTORY);
    try {
      return fstatSync(fd).mode & 0o7777;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
