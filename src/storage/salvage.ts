import { rmSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

export interface Salvage {
  /** Rows taken over. */
  rows: number;
  /** Tables of which some rows could not be read, or did not fit to the others. */
  damaged: string[];
}

/**
 * Makes a new database at `target` with all that can be read of a corrupt one, which stays as it is. When not even its
 * tables can be told the new one is empty. Its user_version is 1: what is on disk may have lost its row.
 * @param target does not count until this returns: it is begun anew by whoever finds it
 */
export function salvage(corrupt: string, target: string): Salvage {
  for (const suffix of ['', '-journal']) rmSync(target + suffix, { force: true });
  const into = new DatabaseSync(target, { enableForeignKeyConstraints: false });
  try {
    into.exec('pragma user_version = 1');
    const from = openReadable(corrupt);
    try {
      const parts = from && schemaOf(from);
      if (from === undefined || parts === undefined) return { rows: 0, damaged: ['all'] };
      into.exec('begin');
      const result = copyAll(from, into, parts);
      into.exec('commit');
      return result;
    } finally {
      from?.close();
    }
  } finally {
    into.close();
  }
}

interface SchemaPart {
  type: string;
  name: string;
  sql: string;
}

function openReadable(path: string): DatabaseSync | undefined {
  try {
    const database = new DatabaseSync(path, { readOnly: true, readBigInts: true, defensive: false });
    // Nothing is written: without it SQLite reads nothing of a file that is shorter than it says.
    database.exec('pragma writable_schema = on');
    return database;
  } catch {
    return undefined;
  }
}

/** All of it or nothing: rooms count on the tables that the table of migrations tells of. */
function schemaOf(from: DatabaseSync): SchemaPart[] | undefined {
  try {
    const parts = from
      .prepare("select type, name, sql from sqlite_schema where sql is not null and name not like 'sqlite_%'")
      .all() as unknown as SchemaPart[];
    from.prepare('select room, version from migrations').all();
    return parts;
  } catch {
    return undefined;
  }
}

function copyAll(from: DatabaseSync, into: DatabaseSync, parts: readonly SchemaPart[]): Salvage {
  const tables = parts.filter(part => part.type === 'table');
  for (const { sql } of tables) into.exec(sql);
  for (const { sql } of parts.filter(part => part.type !== 'table')) into.exec(sql);
  const hasSequences = into.prepare("select 1 from sqlite_schema where name = 'sqlite_sequence'").get();
  const names = [...tables.map(({ name }) => name), ...(hasSequences ? ['sqlite_sequence'] : [])];
  const damaged = new Set<string>();
  let rows = 0;
  for (const name of names) {
    const copied = copyTable(from, into, name);
    rows += copied.rows;
    if (!copied.whole) damaged.add(name);
  }
  for (const name of deleteOrphans(into)) damaged.add(name);
  return { rows, damaged: [...damaged] };
}

/** From its first row to where it is torn, and from its last one back to there. */
function copyTable(from: DatabaseSync, into: DatabaseSync, name: string): { rows: number; whole: boolean } {
  if (name === 'sqlite_sequence') into.exec('delete from sqlite_sequence');
  const orders = /without\s+rowid/i.test(sqlOf(into, name))
    ? ['']
    : ['order by rowid', 'order by rowid desc'];
  let rows = 0;
  for (const order of orders) {
    try {
      for (const row of from.prepare(`select * from "${name}" ${order}`).iterate()) {
        rows += insert(into, name, row as Record<string, SQLInputValue>);
      }
      return { rows, whole: true };
    } catch {
      // Torn here: what is beyond is reached from the other end, if at all.
    }
  }
  return { rows, whole: false };
}

function sqlOf(database: DatabaseSync, table: string): string {
  return String(database.prepare('select sql from sqlite_schema where name = ?').get(table)?.['sql']);
}

/** @returns how many rows it has become: none when it is there already, or is no such row */
function insert(into: DatabaseSync, name: string, row: Record<string, SQLInputValue>): number {
  const columns = Object.keys(row);
  const places = columns.map(() => '?').join(', ');
  try {
    const { changes } = into
      .prepare(`insert or ignore into "${name}" (${columns.join(', ')}) values (${places})`)
      .run(...Object.values(row));
    return Number(changes);
  } catch {
    return 0;
  }
}

/** Rows that refer to what was lost. @returns the tables they were in */
function deleteOrphans(into: DatabaseSync): Set<string> {
  const tables = new Set<string>();
  for (;;) {
    const orphans = into.prepare('pragma foreign_key_check').all();
    if (orphans.length === 0) return tables;
    for (const { table, rowid, parent } of orphans) {
      tables.add(String(table));
      if (rowid !== null) into.prepare(`delete from "${table}" where rowid = ?`).run(rowid!);
      else deleteUnkeyed(into, String(table), String(parent));
    }
  }
}

/** As a table without rowids has no other name for a row than what it says. */
function deleteUnkeyed(into: DatabaseSync, table: string, parent: string): void {
  for (const key of into.prepare(`pragma foreign_key_list("${table}")`).all()) {
    if (key['table'] !== parent) continue;
    into.exec(
      `delete from "${table}" where "${key['from']}" is not null
       and "${key['from']}" not in (select "${key['to']}" from "${parent}")`,
    );
  }
}
