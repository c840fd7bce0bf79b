import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { asPath } from '../../archive/names.ts';
import type { Digest } from '../../oci/digest.ts';
import { errnoOf } from '../../stdx/errors.ts';

/** Digests of the contents of regular files; undefined for one that is gone. */
export function hashFiles(paths: readonly string[]): (Digest | undefined)[] {
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  return paths.map(path => hashFile(path, buffer));
}

function hashFile(path: string, buffer: Buffer): Digest | undefined {
  let fd: number;
  try {
    fd = openSync(asPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const hash = createHash('sha256');
    for (;;) {
      const read = readSync(fd, buffer, 0, buffer.length, null);
      if (read === 0) return `sha256:${hash.digest('hex')}`;
      hash.update(buffer.subarray(0, read));
    }
  } finally {
    closeSync(fd);
  }
}
