import { type Digest, digestOf } from '../oci/digest.ts';
import type { Log } from '../stdx/log.ts';
import type { Layer } from '../storage/layers.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * Everything a step's result depends on, part by part, by name. The key is the digest of all of them.
 */
export type KeyParts = Readonly<Record<string, string | readonly string[] | null>>;

export function keyOf(parts: KeyParts): Digest {
  const ordered = Object.keys(parts)
    .sort()
    .map(name => [name, parts[name]]);
  return digestOf(JSON.stringify(ordered));
}

export interface CachedStep {
  key: Digest;
  /** undefined: the step changed no file. */
  layer?: Layer;
  createdMs: number;
}

/** One entry, as `docker system df -v` and `builder du` show it. */
export interface CacheRecord {
  /** A step's key, or the name of a cache mount. */
  key: string;
  parent: string | null;
  chainId: Digest | null;
  description: string;
  /** In BuildKit's words: the result of a step, and a cache mount. */
  type: 'regular' | 'exec.cachemount';
  sizeBytes: number;
  createdMs: number;
  lastUsedMs: number;
  usageCount: number;
  inUse: boolean;
  /** An image has the layer too. */
  shared: boolean;
}

/**
 * The rows' life: `building` before the step's snapshot becomes a layer owned by `build-cache:<key>`, `done` with the
 * layer's chain id after it. A kill between the two leaves `building`, which open() drops with its references.
 */
const migrations = [
  `create table build_cache (
     key text primary key,
     state text not null check (state in ('building', 'done')),
     parent text,
     chain_id text,
     description text not null,
     size_bytes integer not null,
     created_ms integer not null,
     last_used_ms integer not null,
     usage_count integer not null
   ) strict, without rowid`,
  `create table build_states (
     id text primary key,
     last_used_ms integer not null
   ) strict, without rowid`,
];

/** States hold nothing but their id; these are dropped when the daemon starts. */
const forgottenAfterMs = 30 * 24 * 3600 * 1000;

interface Row {
  key: Digest;
  parent: Digest | null;
  chainId: Digest | null;
  description: string;
  sizeBytes: number;
  createdMs: number;
  lastUsedMs: number;
  usageCount: number;
}

const columns = `key, parent, chain_id as chainId, description, size_bytes as sizeBytes, created_ms as createdMs,
  last_used_ms as lastUsedMs, usage_count as usageCount`;

/** Results of steps by what they were made of. A layer stays while its row does. */
export class BuildCache {
  readonly #storage: Pick<Storage, 'database' | 'layers' | 'blobs'>;
  readonly #log: Log;
  /** Keys that running builds rely on, with how many do. */
  readonly #inUse = new Map<Digest, number>();

  constructor(storage: Pick<Storage, 'database' | 'layers' | 'blobs'>, log: Log) {
    this.#storage = storage;
    this.#log = log;
    storage.database.migrate('build', migrations);
    this.#dropHalfDone();
    this.#prepare('delete from build_states where last_used_ms < ?').run(Date.now() - forgottenAfterMs);
  }

  /** Notes that a build came by this state. @returns whether one had before */
  rememberState(id: Digest): boolean {
    const known = this.#prepare('select 1 from build_states where id = ?').get(id) !== undefined;
    this.#prepare('insert or replace into build_states (id, last_used_ms) values (?, ?)').run(id, Date.now());
    return known;
  }

  /** A hit is verified: the row of a layer that is no more is dropped and is a miss. */
  find(key: Digest): CachedStep | undefined {
    const row = this.#row(key);
    if (row === undefined) return undefined;
    const layer = row.chainId === null ? undefined : this.#storage.layers.get(row.chainId);
    if (row.chainId !== null && layer === undefined) {
      this.#log.warn({ key, layer: row.chainId }, 'the layer of a cached build step is gone');
      this.#delete(key);
      return undefined;
    }
    this.#prepare('update build_cache set last_used_ms = ?, usage_count = usage_count + 1 where key = ?').run(
      Date.now(),
      key,
    );
    return { key, layer, createdMs: row.createdMs };
  }

  /** Announces a result, before the layer is made. */
  begin(key: Digest, step: { parent: Digest | undefined; description: string }): void {
    const now = Date.now();
    this.#prepare(
      `insert or replace into build_cache
         (key, state, parent, chain_id, description, size_bytes, created_ms, last_used_ms, usage_count)
       values (?, 'building', ?, null, ?, 0, ?, ?, 1)`,
    ).run(key, step.parent ?? null, step.description, now, now);
  }

  /**
   * The result is there: from now on the row keeps the layer, and only this one.
   * @param createdMs of a result that was imported.
   */
  finish(key: Digest, layer: Layer | undefined, createdMs = Date.now()): CachedStep {
    this.#storage.database.transaction(() => {
      this.#storage.layers.dereference(cacheOwner(key));
      if (layer !== undefined) this.#storage.layers.reference(cacheOwner(key), layer.chainId);
      this.#prepare(
        `update build_cache set state = 'done', chain_id = ?, size_bytes = ?, created_ms = ?, last_used_ms = ?
         where key = ?`,
      ).run(layer?.chainId ?? null, layer?.sizeBytes ?? 0, createdMs, Date.now(), key);
    });
    return { key, layer, createdMs };
  }

  /** The step failed after begin(). */
  abandon(key: Digest): void {
    this.#delete(key);
  }

  /** Keeps rows from prune while a build relies on them. @returns the end of it. */
  use(key: Digest): () => void {
    this.#inUse.set(key, (this.#inUse.get(key) ?? 0) + 1);
    return () => {
      const left = this.#inUse.get(key)! - 1;
      if (left > 0) this.#inUse.set(key, left);
      else this.#inUse.delete(key);
    };
  }

  /** Last used first. @param ofImages chain ids of all layers that images have. */
  list(ofImages: ReadonlySet<Digest>): CacheRecord[] {
    const rows = this.#prepare(
      `select ${columns} from build_cache where state = 'done' order by last_used_ms desc, key`,
    ).all() as unknown as Row[];
    return rows.map(row => ({
      ...row,
      type: 'regular',
      inUse: this.#inUse.has(row.key),
      shared: row.chainId !== null && ofImages.has(row.chainId),
    }));
  }

  /** Drops rows that no build relies on. @returns those that went, with the layers nobody else holds */
  async remove(records: readonly CacheRecord[]): Promise<{ deleted: CacheRecord[]; reclaimedBytes: number }> {
    const deleted = records.filter(({ key }) => !this.#inUse.has(key as Digest));
    if (deleted.length === 0) return { deleted, reclaimedBytes: 0 };
    for (const { key } of deleted) this.#delete(key as Digest);
    await this.#storage.layers.removeUnreferenced();
    // What a push has packed of them.
    await this.#storage.blobs.removeUnreferenced();
    const gone = deleted.filter(
      record => record.chainId !== null && this.#storage.layers.get(record.chainId) === undefined,
    );
    return { deleted, reclaimedBytes: gone.reduce((sum, record) => sum + record.sizeBytes, 0) };
  }

  /** No state counts as known any more. */
  forgetStates(): void {
    this.#prepare('delete from build_states').run();
  }

  #dropHalfDone(): void {
    const rows = this.#prepare("select key from build_cache where state = 'building'").all();
    for (const row of rows) this.#delete(row['key'] as Digest);
    // What it refers to was lost in a power cut.
    this.#prepare(
      'delete from build_cache where chain_id is not null and chain_id not in (select chain_id from layers)',
    ).run();
    if (rows.length > 0) this.#log.info({ steps: rows.length }, 'unfinished build steps dropped');
  }

  #delete(key: Digest): void {
    this.#storage.database.transaction(() => {
      this.#storage.layers.dereference(cacheOwner(key));
      this.#prepare('delete from build_cache where key = ?').run(key);
    });
  }

  #row(key: Digest): Row | undefined {
    return this.#prepare(`select ${columns} from build_cache where key = ? and state = 'done'`).get(
      key,
    ) as unknown as Row | undefined;
  }

  #prepare(sql: string) {
    return this.#storage.database.prepare(sql);
  }
}

/** Under which a row holds its layer. */
export function cacheOwner(key: Digest): string {
  return `build-cache:${key}`;
}
