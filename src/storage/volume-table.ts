import type { Database } from './database.ts';

export interface VolumeRow {
  name: string;
  driver: string;
  labels: Readonly<Record<string, string>>;
  options: Readonly<Record<string, string>>;
  createdMs: number;
}

type VolumeState = 'creating' | 'ready' | 'removing';

const migrations = [
  `create table volumes (
     name text primary key,
     driver text not null,
     labels text not null,
     options text not null,
     state text not null check (state in ('creating', 'ready', 'removing')),
     created_ms integer not null
   ) strict, without rowid;`,
  // Its directory may still have the old name; the number of its quota.
  `alter table volumes add column renamed_from text;
   alter table volumes add column project integer;`,
];

const columns = 'name, driver, labels, options, created_ms as createdMs';

/** Small numbers are what administrators give in /etc/projects. */
const firstProject = 0x10_00_00;

/** The volumes' rows in the state database, and nothing but SQL. */
export class VolumeTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.migrate('volumes', migrations);
  }

  /** Of those that are `ready`, as list. */
  find(name: string): VolumeRow | undefined {
    const query = `select ${columns} from volumes where name = ? and state = 'ready'`;
    const row = this.#database.prepare(query).get(name);
    return row === undefined ? undefined : rowOf(row);
  }

  /** Sorted by name. */
  list(): VolumeRow[] {
    const query = `select ${columns} from volumes where state = 'ready' order by name`;
    return this.#database.prepare(query).all().map(rowOf);
  }

  /** Whose creation or removal was cut short. */
  unfinished(): { name: string; driver: string }[] {
    const query = "select name, driver from volumes where state <> 'ready'";
    return this.#database.prepare(query).all() as unknown as { name: string; driver: string }[];
  }

  insert(
    { name, driver, labels = {}, options = {} }: Pick<VolumeRow, 'name' | 'driver'> & Partial<VolumeRow>,
    state: VolumeState,
  ): void {
    this.#database
      .prepare(
        'insert into volumes (name, driver, labels, options, state, created_ms) values (?, ?, ?, ?, ?, ?)',
      )
      .run(name, driver, JSON.stringify(labels), JSON.stringify(options), state, Date.now());
  }

  setState(name: string, state: VolumeState): void {
    this.#database.prepare('update volumes set state = ? where name = ?').run(state, name);
  }

  delete(name: string): void {
    this.#database.prepare('delete from volumes where name = ?').run(name);
  }

  /** @param inTransaction changes the rows of those who name it */
  rename(from: string, to: string, inTransaction: () => void): void {
    this.#database.transaction(() => {
      this.#database
        .prepare('update volumes set name = ?, renamed_from = ? where name = ?')
        .run(to, from, from);
      inTransaction();
    });
  }

  /** Whose directories may still have the old names. */
  renamed(): { name: string; from: string }[] {
    const query = 'select name, renamed_from as "from" from volumes where renamed_from is not null';
    return this.#database.prepare(query).all() as unknown as { name: string; from: string }[];
  }

  endRename(name: string): void {
    this.#database.prepare('update volumes set renamed_from = null where name = ?').run(name);
  }

  /** @returns the number of a project for the volume's quota, which no other volume has */
  takeProject(name: string): number {
    const row = this.#database.prepare('select max(project) as last from volumes').get();
    const project = Math.max(Number(row?.['last'] ?? 0), firstProject - 1) + 1;
    this.#database.prepare('update volumes set project = ? where name = ?').run(project, name);
    return project;
  }

  projectOf(name: string): number | undefined {
    const row = this.#database.prepare('select project from volumes where name = ?').get(name);
    return row?.['project'] == null ? undefined : Number(row['project']);
  }
}

function rowOf(row: Record<string, unknown>): VolumeRow {
  const { labels, options, ...rest } = row as unknown as VolumeRow & { labels: string; options: string };
  return { ...rest, labels: JSON.parse(labels), options: JSON.parse(options) };
}
