import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { EngineError, messageOf, within } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import { salvage } from './salvage.ts';

interface DatabaseOptions {
  log?: Log;
  quarantine?: string;
  expected?: boolean;
}

/**
 * The state database: one SQLite file that all rooms share, each with its own tables.
 *
 * WAL with synchronous=NORMAL: a SIGKILL loses nothing that was committed, a power cut may lose the last
 * transactions but never half of one.
 */
export class Database {
  /** Rows were lost, here or with a file that is gone: what is on disk without a row may be of value. */
  readonly damaged: boolean;
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #depth = 0;

  /**
   * Opens or creates the file. A file that SQLite finds corrupt is moved aside, and a new one has all that could be
   * read of it, so that the daemon always starts.
   * @param options.quarantine directory for corrupt files; default: beside the file.
   * @param options.expected there must have been one: when it is gone, or empty, it is as corrupt as can be.
   */
  static open(path: string, options: DatabaseOptions = {}): Database {
    finishReplacement(path, options);
    try {
      if (options.expected && isEmpty(path)) throw new EngineError('corrupt', 'there is nothing in it');
      return new Database(openChecked(path));
    } catch (error) {
      if (!isCorruption(error)) throw within(`opening the state database ${path}`, asDatabaseError(error));
      const { rows, damaged } = salvage(path, salvaging(path));
      renameSync(salvaging(path), salvaged(path));
      const movedTo = finishReplacement(path, options);
      options.log?.error(
        { err: error, database: path, movedTo, rows, damaged },
        rows === 0
          ? `the state database is corrupt; it was moved to ${movedTo} and a new one is begun`
          : `the state database is corrupt; it was moved to ${movedTo}, and ${rows} rows of it are kept`,
      );
      return new Database(openChecked(path));
    }
  }

  private constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite;
    this.damaged = Number(sqlite.prepare('pragma user_version').get()!['user_version']) !== 0;
    reserveSpace(sqlite);
    sqlite.exec(
      'create table if not exists migrations (room text primary key, version integer not null) strict',
    );
  }

  /**
   * Brings a room's tables up to date: runs the steps this file has not seen, in order, all or none. A step that has
   * been released never changes; a change is a new step at the end.
   * @throws EngineError `conflict` when the file was written by a newer version of the program.
   */
  migrate(room: string, steps: readonly string[]): void {
    this.transaction(() => {
      const row = this.prepare('select version from migrations where room = ?').get(room);
      const done = row === undefined ? 0 : Number(row['version']);
      if (done > steps.length) {
        throw new EngineError(
          'conflict',
          `the state database was written by a newer version (${room}: ${done}, known here: ${steps.length})`,
        );
      }
      for (const step of steps.slice(done)) this.#sqlite.exec(step);
      this.prepare('insert or replace into migrations (room, version) values (?, ?)').run(room, steps.length);
    });
  }

  /** The statement for this text, compiled once. Use get, all and run; not iterate, as the statement is shared. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /**
   * Reads all rows of a table. One that `read` refuses is logged and set aside in the table quarantined_rows, word for
   * word: the daemon starts without it.
   * @param table with rowids, of columns without blobs
   */
  readRows<T>(table: string, log: Log, read: (row: Row) => T): T[] {
    const values: T[] = [];
    for (const { foundRowid, ...row } of this.prepare(
      `select rowid as foundRowid, * from ${table} order by rowid`,
    ).all()) {
      try {
        values.push(read(row));
      } catch (error) {
        const why = messageOf(error);
        log.error({ table, row, why }, 'a row is corrupt; it was moved to the table quarantined_rows');
        this.migrate('quarantine', quarantineMigrations);
        this.transaction(() => {
          this.prepare(
            'insert into quarantined_rows (origin, content, why, since_ms) values (?, ?, ?, ?)',
          ).run(table, JSON.stringify(row), why, Date.now());
          this.prepare(`delete from ${table} where rowid = ?`).run(foundRowid!);
        });
      }
    }
    return values;
  }

  /** Runs `work` in one transaction (BEGIN IMMEDIATE), inside another one in a savepoint; what it throws undoes it. */
  transaction<T>(work: () => T): T {
    const savepoint = `depth_${this.#depth}`;
    const outer = this.#depth === 0;
    this.#sqlite.exec(outer ? 'begin immediate' : `savepoint ${savepoint}`);
    this.#depth++;
    try {
      const result = work();
      if (result instanceof Promise) throw new EngineError('internal', 'a transaction must be synchronous');
      this.#sqlite.exec(outer ? 'commit' : `release ${savepoint}`);
      return result;
    } catch (error) {
      this.#rollback(outer ? 'rollback' : `rollback to ${savepoint}; release ${savepoint}`);
      throw asDatabaseError(error);
    } finally {
      this.#depth--;
    }
  }

  /** What is on disk without a row has been seen to, for this damage. */
  forgetDamage(): void {
    this.#sqlite.exec('pragma user_version = 0');
  }

  close(): void {
    this.#statements.clear();
    this.#sqlite.close();
  }

  #rollback(sql: string): void {
    try {
      this.#sqlite.exec(sql);
    } catch {
      // A full disk or an I/O error made SQLite roll back already; the error that led here is the one to report.
    }
  }
}

type Row = Record<string, SQLOutputValue>;

const quarantineMigrations = [
  // Rows that could not be read, as they were: for a person to look at.
  `create table quarantined_rows (
     origin text not null,
     content text not null,
     why text not null,
     since_ms integer not null
   ) strict`,
];

/** SQLite's result codes, sqlite3.h. */
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

function openChecked(path: string): DatabaseSync {
  const sqlite = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 5000 });
  try {
    sqlite.exec('pragma journal_mode = wal; pragma synchronous = normal');
    const found = sqlite.prepare('pragma quick_check(1)').get();
    const verdict = found === undefined ? 'ok' : String(Object.values(found)[0]);
    if (verdict !== 'ok') throw new EngineError('corrupt', verdict);
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

/**
 * On a full disk the state must still be written, or nothing could be removed to mend it. So the log is made as large
 * as it ever gets (it is checkpointed at 1000 pages and then written from its beginning again), and the file gets
 * free pages for what the checkpoint puts there.
 */
function reserveSpace(sqlite: DatabaseSync): void {
  try {
    sqlite.exec(`
      create table if not exists reserve (bytes blob not null) strict;
      insert into reserve (bytes) values (zeroblob(${reserveBytes}));
      delete from reserve;
      pragma wal_checkpoint(restart);`);
  } catch (error) {
    // The disk is full already: then it goes without.
    if (sqliteCode(error) !== SQLITE_FULL) throw error;
  }
}

const reserveBytes = 1100 * 4096;

function isCorruption(error: unknown): boolean {
  if (error instanceof EngineError) return error.kind === 'corrupt';
  const code = sqliteCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

function isEmpty(path: string): boolean {
  return !existsSync(path) || statSync(path).size === 0;
}

/** While it is filled, and once it is whole: a kill in between loses neither the old file nor the new one. */
const salvaging = (path: string) => `${path}.salvaging`;
const salvaged = (path: string) => `${path}.salvaged`;

/**
 * Puts a salvaged file in the place of the corrupt one, if there is one. The -wal file belongs to the database file:
 * beside a new one it would be taken for that one's.
 * @returns where the corrupt one went
 */
function finishReplacement(path: string, options: DatabaseOptions): string | undefined {
  const directory = options.quarantine ?? dirname(path);
  if (!existsSync(salvaged(path))) return undefined;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const stamp = new Date().toISOString().replaceAll(':', '-');
  const target = join(directory, `${basename(path)}.corrupt-${stamp}`);
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
  }
  renameSync(salvaged(path), path);
  return target;
}

function asDatabaseError(error: unknown): unknown {
  if (sqliteCode(error) !== SQLITE_FULL) return error;
  return new EngineError(
    'exhausted',
    `writing the state database: ${messageOf(error)}: free some disk space`,
    {
      cause: error,
    },
  );
}

/** The primary result code: the low byte of the extended one. */
function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null | undefined)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}
