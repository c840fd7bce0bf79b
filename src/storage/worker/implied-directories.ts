import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { O_PATH } from '../../linux/constants.ts';
import { openInRootAt } from '../../linux/files.ts';
import { libc } from '../../linux/libc.ts';
import { EngineError, errnoOf } from '../../stdx/errors.ts';
import type { Owner } from './owners.ts';

export interface DirectoryAttributes extends Owner {
  mode: number;
  mtimeNs?: bigint;
}

/**
 * Directories that a layer has files in without bringing them itself. They hide the ones below, so they take the
 * attributes of those, looked up in the layers below through descriptors opened before the chroot.
 */
export class ImpliedDirectories {
  readonly #lower: readonly number[] | undefined;

  /** @param lower directories on the host, topmost first; undefined: not known yet. */
  constructor(lower: readonly string[] | undefined) {
    this.#lower = lower?.map(path => openSync(path, O_PATH | constants.O_DIRECTORY));
  }

  /** @throws EngineError `conflict` while the layers below are not known. */
  attributesOf(name: string): DirectoryAttributes {
    if (this.#lower === undefined) throw new EngineError('conflict', 'it depends on the layers below');
    for (const root of this.#lower) {
      const found = lookUp(root, name);
      if (found === 'hidden') break;
      if (found !== undefined) return found;
    }
    return { mode: 0o755, uid: 0, gid: 0 };
  }

  close(): void {
    for (const fd of this.#lower ?? []) closeSync(fd);
  }
}

function lookUp(root: number, name: string): DirectoryAttributes | 'hidden' | undefined {
  let fd: number;
  try {
    fd = openInRootAt(root, name, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT') return undefined;
    // A file, a whiteout or a loop stands in the way: what is further below is hidden.
    if (code === 'ENOTDIR' || code === 'ELOOP') return 'hidden';
    throw error;
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isDirectory()) return 'hidden';
    return {
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      mtimeNs: stat.mtimeNs,
    };
  } finally {
    // Not node:fs's: it keeps book of the descriptors of a worker, and this one came past it.
    close(name, fd);
  }
}

const close = libc<[fd: number]>('int close(int fd)');
