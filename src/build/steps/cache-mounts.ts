import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Mutex } from '../../stdx/mutex.ts';
import type { Database } from '../../storage/database.ts';
import { removeTree } from '../../storage/remove-tree.ts';
import type { WorkerPool } from '../../storage/worker-pool.ts';

export interface CacheMountRequest {
  id: string;
  sharing: 'shared' | 'private' | 'locked';
  permissions: number;
  uid: number;
  gid: number;
  /** Fills a new cache; called with its empty directory. */
  fill?: (directory: string) => Promise<void>;
}

/** A directory of the cache, as `builder du` shows it. */
export interface CacheMount {
  name: string;
  /** As RUN --mount=type=cache names it. */
  id: string;
  createdMs: number;
  lastUsedMs: number;
  usageCount: number;
  sizeBytes: number;
  inUse: boolean;
}

const migrations = [
  `create table build_mounts (
     name text primary key,
     id text not null,
     created_ms integer not null,
     last_used_ms integer not null,
     usage_count integer not null
   ) strict, without rowid`,
];

type Row = Omit<CacheMount, 'sizeBytes' | 'inUse'>;

/**
 * The directories of `RUN --mount=type=cache`, which outlive builds:
 *
 *     <directory>/<sha256 of the id>-<number>/       number above 0: made while `private` ones were in use
 *     <directory>/new-<...>/                         being filled
 *     <directory>/gone-<...>/                        being removed
 *
 * Each has a row, written when it stands; what has none is removed at start.
 */
export class CacheMounts {
  readonly #directory: string;
  readonly #database: Database;
  readonly #workers: WorkerPool;
  /** How many steps use a directory now. */
  readonly #users = new Map<string, number>();
  readonly #locks = new Map<string, Mutex>();
  readonly #making = new Mutex();
  #removed = 0;

  static async open(directory: string, database: Database, workers: WorkerPool): Promise<CacheMounts> {
    const mounts = new CacheMounts(directory, database, workers);
    await mounts.#reconcile();
    return mounts;
  }

  private constructor(directory: string, database: Database, workers: WorkerPool) {
    this.#directory = directory;
    this.#database = database;
    this.#workers = workers;
    database.migrate('build-mounts', migrations);
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

  /** Last used first. */
  async list(): Promise<CacheMount[]> {
    return Promise.all(
      this.#rows().map(async row => ({
        ...row,
        sizeBytes: await this.#sizeOf(row.name),
        inUse: this.#users.has(row.name),
      })),
    );
  }

  /** @returns false when a step uses it, or there is none */
  async remove(name: string): Promise<boolean> {
    const aside = join(this.#directory, `gone-${name}-${this.#removed++}`);
    const removed = await this.#making.run(async () => {
      const known = this.#rows().some(row => row.name === name);
      if (!known || this.#users.has(name)) return false;
      await rename(join(this.#directory, name), aside);
      this.#prepare('delete from build_mounts where name = ?').run(name);
      return true;
    });
    if (removed) await removeTree(aside, this.#workers);
    return removed;
  }

  /** The directory of the first of an id, for reading while `work` runs; undefined when there is none. */
  async read<T>(id: string, work: (directory: string) => Promise<T>): Promise<T | undefined> {
    const name = `${createHash('sha256').update(id).digest('hex')}-0`;
    if (!existsSync(join(this.#directory, name))) return undefined;
    return this.#counted(name, () => work(join(this.#directory, name)));
  }

  async #useNow<T>(
    name: string,
    request: CacheMountRequest,
    work: (directory: string) => Promise<T>,
  ): Promise<T> {
    let number = 0;
    while (request.sharing === 'private' && this.#users.has(`${name}-${number}`)) number++;
    const chosen = `${name}-${number}`;
    return this.#counted(chosen, async () => {
      await this.#making.run(() => this.#make(chosen, request));
      return work(join(this.#directory, chosen));
    });
  }

  async #counted<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#users.set(name, (this.#users.get(name) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const left = this.#users.get(name)! - 1;
      if (left > 0) this.#users.set(name, left);
      else this.#users.delete(name);
    }
  }

  async #make(name: string, request: CacheMountRequest): Promise<void> {
    const place = join(this.#directory, name);
    if (!existsSync(place)) {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const aside = join(this.#directory, `new-${name}`);
      if (existsSync(aside)) await removeTree(aside, this.#workers);
      await mkdir(aside);
      await request.fill?.(aside);
      await chown(aside, request.uid, request.gid);
      await chmod(aside, request.permissions);
      await rename(aside, place);
    }
    this.#prepare(
      `insert into build_mounts values (?1, ?2, ?3, ?3, 1)
       on conflict (name) do update set last_used_ms = ?3, usage_count = usage_count + 1`,
    ).run(name, request.id, Date.now());
  }

  async #sizeOf(name: string): Promise<number> {
    const root = join(this.#directory, name);
    return existsSync(root) ? this.#workers.run('sizeOfTree', { root }) : 0;
  }

  async #reconcile(): Promise<void> {
    const known = new Set(this.#rows().map(row => row.name));
    const present = existsSync(this.#directory) ? readdirSync(this.#directory) : [];
    for (const name of present)
      if (!known.has(name)) await removeTree(join(this.#directory, name), this.#workers);
    for (const name of known)
      if (!present.includes(name)) this.#prepare('delete from build_mounts where name = ?').run(name);
  }

  #rows(): Row[] {
    return this.#prepare(
      `select name, id, created_ms as createdMs, last_used_ms as lastUsedMs, usage_count as usageCount
       from build_mounts order by last_used_ms desc, name`,
    ).all() as unknown as Row[];
  }

  #prepare(sql: string) {
    return this.#database.prepare(sql);
  }
}
