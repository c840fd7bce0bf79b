import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Mutex } from '../../stdx/mutex.ts';

export interface CacheMountRequest {
  id: string;
  sharing: 'shared' | 'private' | 'locked';
  permissions: number;
  uid: number;
  gid: number;
  /** Fills a new cache from --from; called with its empty directory. */
  fill?: (directory: string) => Promise<void>;
}

/**
 * The directories of `RUN --mount=type=cache`, which outlive builds:
 *
 *     <directory>/<sha256 of the id>-<number>/       number above 0: made while `private` ones were in use
 *     <directory>/new-<...>/                         being filled; removed at start
 */
export class CacheMounts {
  readonly #directory: string;
  /** How many steps use a directory now. */
  readonly #users = new Map<string, number>();
  readonly #locks = new Map<string, Mutex>();
  readonly #making = new Mutex();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Runs `work` with the cache's directory; steps that share a locked one go one after the other. */
  async use<T>(request: CacheMountRequest, work: (directory: string) => Promise<T>): Promise<T> {
    const name = createHash('sha256').update(request.id).digest('hex');
    if (request.sharing !== 'locked') return this.#useNow(name, request, work);
    let lock = this.#locks.get(name);
    if (lock === undefined) {
      lock = new Mutex();
      this.#locks.set(name, lock);
    }
    return lock.run(() => this.#useNow(name, request, work));
  }

  async #useNow<T>(
    name: string,
    request: CacheMountRequest,
    work: (directory: string) => Promise<T>,
  ): Promise<T> {
    let number = 0;
    while (request.sharing === 'private' && this.#users.has(`${name}-${number}`)) number++;
    const chosen = `${name}-${number}`;
    this.#users.set(chosen, (this.#users.get(chosen) ?? 0) + 1);
    try {
      await this.#making.run(() => this.#make(chosen, request));
      return await work(join(this.#directory, chosen));
    } finally {
      const left = this.#users.get(chosen)! - 1;
      if (left > 0) this.#users.set(chosen, left);
      else this.#users.delete(chosen);
    }
  }

  async #make(name: string, request: CacheMountRequest): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const aside = join(this.#directory, `new-${name}`);
    await rm(aside, { recursive: true, force: true });
    if (existsSync(join(this.#directory, name))) return;
    await mkdir(aside);
    await request.fill?.(aside);
    await chown(aside, request.uid, request.gid);
    await chmod(aside, request.permissions);
    await rename(aside, join(this.#directory, name));
  }
}
