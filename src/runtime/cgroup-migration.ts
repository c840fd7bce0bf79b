import { writeFile } from 'node:fs/promises';
import { ownCgroupFile } from '../linux/cgroups.ts';
import { messageOf } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';

/** How long the kernel stays quick after a migration; measured, it is some 10 ms. */
const quickForMs = 5;

/**
 * Moving a process into a cgroup waits for an RCU grace period, 7 to 25 ms on an idle machine, unless another move
 * has just done so (kernel/cgroup/cgroup.c, cgroup_threadgroup_rwsem; its rcu_sync stays entered for a while). That
 * wait is the longest part of starting a container. It is taken in advance, while the client still talks: the daemon
 * moves itself to where it is. Measured: 0.2 ms instead of 7 for the move that counts.
 */
export class CgroupMigration {
  readonly #file: string | undefined;
  readonly #log: Log;
  #lastMs = 0;
  #running = false;

  constructor(log: Log) {
    this.#file = ownCgroupFile('cgroup.procs');
    this.#log = log;
  }

  /** Returns at once. */
  anticipate(): void {
    if (this.#file === undefined || this.#running || performance.now() - this.#lastMs < quickForMs) return;
    this.#running = true;
    writeFile(this.#file, String(process.pid))
      .catch(error =>
        this.#log.debug({ reason: messageOf(error) }, 'a cgroup migration could not be anticipated'),
      )
      .finally(() => {
        this.#running = false;
        this.#lastMs = performance.now();
      });
  }
}
