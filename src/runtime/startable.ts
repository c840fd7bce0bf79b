import { closeSync, constants, fstatSync } from 'node:fs';
import { posix } from 'node:path';
import { O_PATH } from '../linux/constants.ts';
import { openInRoot, tryOpenInRootAt } from '../linux/files.ts';
import type { RuntimeProcess } from '../oci/runtime-spec.ts';

/**
 * Whether there is a program to start, and the directory to start it in: a look into the container before the runtime
 * has its own, for who can choose a way by it. It does not know what the user may and what the kernel can run.
 * @param root of the container as we see it, `/proc/<pid>/root`
 */
export function looksStartable(
  root: string,
  { args, cwd, env }: Pick<RuntimeProcess, 'args' | 'cwd' | 'env'>,
): boolean {
  const program = args[0] ?? '';
  const path = env.find(entry => entry.startsWith('PATH='))?.slice('PATH='.length) ?? '';
  const directories = program.includes('/') ? [cwd] : path.split(':').map(entry => posix.resolve(cwd, entry));
  const rootFd = openInRoot(root, '/', O_PATH | constants.O_DIRECTORY);
  try {
    return (
      modeOf(rootFd, cwd)?.isDirectory === true &&
      directories.some(directory => modeOf(rootFd, posix.resolve(directory, program))?.isProgram)
    );
  } finally {
    closeSync(rootFd);
  }
}

function modeOf(rootFd: number, path: string): { isDirectory: boolean; isProgram: boolean } | undefined {
  // Not there, a loop, or on a file system that is stuck: whoever starts it will say.
  const fd = tryOpenInRootAt(rootFd, path, O_PATH);
  if (fd === undefined) return undefined;
  try {
    const stat = fstatSync(fd);
    return { isDirectory: stat.isDirectory(), isProgram: stat.isFile() && (stat.mode & 0o111) !== 0 };
  } finally {
    closeSync(fd);
  }
}
