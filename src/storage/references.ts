import type { Database } from './database.ts';

/** Who needs what: rows of an owner and a thing. The owner's name says what it is (`image:<id>`). */
export class ReferenceTable {
  readonly #database: Database;
  readonly #table: string;
  readonly #column: string;

  /** @param table with the columns `owner` and `column`, both its primary key. */
  constructor(database: Database, table: string, column: string) {
    this.#database = database;
    this.#table = table;
    this.#column = column;
  }

  add(owner: string, thing: string): void {
    this.#database
      .prepare(`insert into ${this.#table} (owner, ${this.#column}) values (?, ?) on conflict do nothing`)
      .run(owner, thing);
  }

  /** Whether something of the owner's, or one thing of it, is nobody else's. */
  isSole(owner: string, thing?: string): boolean {
    const column = this.#column;
    const found = this.#database
      .prepare(
        `select 1 from ${this.#table} mine where owner = ? and ${column} = coalesce(?, ${column}) and not exists
           (select 1 from ${this.#table} other where other.${column} = mine.${column} and other.owner <> mine.owner)
         limit 1`,
      )
      .get(owner, thing ?? null);
    return found !== undefined;
  }

  /** One, or all of the owner's. */
  drop(owner: string, thing?: string): void {
    if (thing === undefined) {
      this.#database.prepare(`delete from ${this.#table} where owner = ?`).run(owner);
      return;
    }
    this.#database
      .prepare(`delete from ${this.#table} where owner = ? and ${this.#column} = ?`)
      .run(owner, thing);
  }

  has(thing: string): boolean {
    return (
      this.#database.prepare(`select 1 from ${this.#table} where ${this.#column} = ? limit 1`).get(thing) !==
      undefined
    );
  }
}
