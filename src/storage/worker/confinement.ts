import { closeSync, constants, openSync } from 'node:fs';
import { CLONE_FS, O_PATH } from '../../linux/constants.ts';
import { chroot } from '../../linux/files.ts';
import { libc } from '../../linux/libc.ts';
import { unshare } from '../../linux/namespaces.ts';
import type { IdMappings } from '../../oci/id-mappings.ts';
import { actAsRootOf } from './owners.ts';

/**
 * The root directory of this worker thread. After unshare(CLONE_FS) root, working directory and umask are the
 * thread's own, and Node's *synchronous* fs calls are confined by the kernel. Asynchronous ones run in threads that
 * are not: nothing in a worker may use them with a path. Programs started here would be looked up inside: none are.
 */
export class Confinement {
  readonly #hostRoot: number;

  /** Once per thread, before anything else. */
  constructor() {
    unshare(CLONE_FS);
    // Modes are given in full everywhere.
    umask('', 0);
    this.#hostRoot = openSync('/', O_PATH | constants.O_DIRECTORY);
  }

  /**
   * @param path on the host; may be `/proc/<pid>/root`.
   * @param mappings what is made there belongs to the root of this user namespace, and owners are its ids.
   */
  enter(path: string, mappings?: IdMappings): void {
    this.leave();
    const fd = openSync(path, O_PATH | constants.O_DIRECTORY);
    try {
      this.#moveTo(fd, path);
      if (mappings !== undefined) actAsRootOf(mappings);
    } finally {
      closeSync(fd);
    }
  }

  /** As enter(); relative names lead from another directory, which is not below that root. */
  enterBeside(path: string, workingDirectory: string): void {
    const fd = openSync(workingDirectory, O_PATH | constants.O_DIRECTORY);
    try {
      this.enter(path);
      fchdir(workingDirectory, fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Back to the host's root. A descriptor opened before is the one way out of a chroot, and only we have it. */
  leave(): void {
    actAsRootOf(undefined);
    this.#moveTo(this.#hostRoot, '/');
  }

  #moveTo(fd: number, path: string): void {
    fchdir(path, fd);
    chroot('.');
  }
}

const fchdir = libc<[fd: number]>('int fchdir(int fd)');
const umask = libc<[mask: number]>('int umask(uint mask)');
