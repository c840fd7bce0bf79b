import { EngineError, messageOf } from '../../stdx/errors.ts';
import type { Log } from '../../stdx/log.ts';
import type { Database } from '../../storage/database.ts';
import type { ContainerRecord } from './container.ts';

const schema = [
  `create table containers (
     id text primary key,
     name text not null unique,
     record text not null
   ) strict`,
  // Rows that could not be read, as they were: for a person to look at.
  `create table containers_quarantined (
     id text not null,
     name text not null,
     record text not null,
     why text not null,
     since_ms integer not null
   ) strict`,
];

/**
 * All containers the engine knows, in memory and in the database. The object `get` returns is the live one: change
 * it while holding the container's lock, then `save`. A container is one row, so every change is one transaction.
 */
export class ContainerStore {
  readonly #database: Database;
  readonly #byId = new Map<string, ContainerRecord>();
  readonly #idByName = new Map<string, string>();

  /** A row that cannot be read is set aside, with what it said: the daemon starts without that container. */
  constructor(database: Database, log: Log) {
    this.#database = database;
    database.migrate('containers', schema);
    for (const row of database.prepare('select id, name, record from containers').all()) {
      const [id, name, text] = [String(row['id']), String(row['name']), String(row['record'])];
      try {
        const record = readRecord(id, name, text);
        this.#byId.set(record.id, record);
        this.#idByName.set(record.name, record.id);
      } catch (error) {
        log.error(
          { container: id, name, err: error },
          'the row of a container is corrupt; it was moved to the table containers_quarantined',
        );
        this.#quarantine(id, name, text, messageOf(error));
      }
    }
  }

  /** Ids of containers whose rows were set aside: what they have on disk stays until those are deleted. */
  quarantined(): string[] {
    return this.#database
      .prepare('select id from containers_quarantined')
      .all()
      .map(row => String(row['id']));
  }

  /** After damage of the database: something is there of a container whose row is gone. */
  quarantineLost(id: string): void {
    this.#quarantine(id, '', '', 'the row was lost with a part of the state database');
  }

  #quarantine(id: string, name: string, text: string, why: string): void {
    this.#database.transaction(() => {
      this.#database
        .prepare(
          'insert into containers_quarantined (id, name, record, why, since_ms) values (?, ?, ?, ?, ?)',
        )
        .run(id, name, text, why, Date.now());
      this.#database.prepare('delete from containers where id = ?').run(id);
    });
  }

  /** @throws conflict when the name is taken, in Docker's words. */
  add(record: ContainerRecord): void {
    this.requireFreeName(record.name);
    this.#database
      .prepare('insert into containers (id, name, record) values (?, ?, ?)')
      .run(record.id, record.name, JSON.stringify(record));
    this.#byId.set(record.id, record);
    this.#idByName.set(record.name, record.id);
  }

  save(record: ContainerRecord): void {
    this.#database
      .prepare('update containers set record = ? where id = ?')
      .run(JSON.stringify(record), record.id);
  }

  /** @throws conflict when the name is taken, in Docker's words. */
  rename(record: ContainerRecord, name: string): void {
    this.requireFreeName(name);
    const renamed = { ...record, name };
    this.#database
      .prepare('update containers set name = ?, record = ? where id = ?')
      .run(name, JSON.stringify(renamed), record.id);
    this.#idByName.delete(record.name);
    this.#idByName.set(name, record.id);
    record.name = name;
  }

  delete(record: ContainerRecord): void {
    this.#database.prepare('delete from containers where id = ?').run(record.id);
    this.#byId.delete(record.id);
    this.#idByName.delete(record.name);
  }

  /**
   * @param ref a full id, a name (with or without leading slash) or an id prefix, tried in this order as dockerd does
   * @throws notFound, or invalid when a prefix fits several
   */
  get(ref: string): ContainerRecord {
    const found = this.find(ref);
    if (ref === '') throw new EngineError('invalid', 'invalid name or ID supplied: ""');
    if (found === undefined) throw new EngineError('notFound', `No such container: ${ref}`);
    return found;
  }

  find(ref: string): ContainerRecord | undefined {
    const name = ref.startsWith('/') ? ref.slice(1) : ref;
    const exact = this.#byId.get(ref) ?? this.#byId.get(this.#idByName.get(name) ?? '');
    if (exact !== undefined || !/^[0-9a-f]+$/.test(ref)) return exact;
    const matches = [...this.#byId.keys()].filter(id => id.startsWith(ref));
    if (matches.length > 1) {
      throw new EngineError('invalid', `Multiple IDs found with provided prefix: ${ref}`);
    }
    return this.#byId.get(matches[0] ?? '');
  }

  /** Newest first, as `docker ps` shows them. */
  list(): ContainerRecord[] {
    return [...this.#byId.values()].sort((a, b) => b.createdAtMs - a.createdAtMs);
  }

  /** Ids of those that have a volume, running or not. */
  usersOfVolume(name: string): string[] {
    return this.list()
      .filter(record => record.mounts.some(mount => mount.type === 'volume' && mount.name === name))
      .map(record => record.id);
  }

  hasName(name: string): boolean {
    return this.#idByName.has(name);
  }

  /** @throws conflict, in Docker's words */
  requireFreeName(name: string): void {
    const owner = this.#idByName.get(name);
    if (owner === undefined) return;
    throw new EngineError(
      'conflict',
      `Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }
}

/** @throws EngineError `corrupt` for what is no record of that container */
function readRecord(id: string, name: string, text: string): ContainerRecord {
  let record: Partial<ContainerRecord> | null;
  try {
    record = JSON.parse(text) as Partial<ContainerRecord> | null;
  } catch (error) {
    throw new EngineError('corrupt', `no JSON: ${messageOf(error)}`);
  }
  if (record?.id !== id || record.name !== name)
    throw new EngineError('corrupt', 'another container, or none');
  for (const part of ['config', 'hostConfig', 'state', 'endpoints', 'mounts'] as const) {
    if (typeof record[part] !== 'object' || record[part] === null) {
      throw new EngineError('corrupt', `${part} is missing`);
    }
  }
  return record as ContainerRecord;
}
