import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { silentLog } from '../stdx/log.ts';
import { Database } from './database.ts';

const rows = 2000;
const pageBytes = 4096;
const tables = [
  `create table people (number integer primary key autoincrement, name text not null unique) strict;
   create index people_by_name on people (name)`,
  `create table friends (
     person text not null references people (name),
     since_ms integer not null,
     primary key (person, since_ms)
   ) strict, without rowid`,
];

/** A database of two tables, 2000 rows in each. */
function fill(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-salvage-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'state.db');
  const database = Database.open(path);
  database.migrate('people', tables);
  database.transaction(() => {
    for (let n = 1; n <= rows; n++) {
      const name = `${n}`.padStart(100, 'x');
      database.prepare('insert into people (name) values (?)').run(name);
      database.prepare('insert into friends values (?, ?)').run(name, 1_700_000_000_000 + n);
    }
  });
  database.close();
  return path;
}

/** Writes over the page that holds a row of people, without its index knowing. */
function damagePageOf(path: string, number: number): void {
  const database = Database.open(path);
  const { pageno } = database
    .prepare(
      "select pageno from dbstat where name = 'people' and pagetype = 'leaf' order by pageno limit 1 offset ?",
    )
    .get(Math.floor(number / 40)) as { pageno: number };
  database.close();
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(pageBytes, 0x55), 0, pageBytes, (pageno - 1) * pageBytes);
  closeSync(file);
}

const count = (database: Database, table: string) =>
  Number(database.prepare(`select count(*) as n from ${table}`).get()!['n']);

suite('a corrupt state database', () => {
  test('keeps all rows around a damaged page, and what refers to them', t => {
    const path = fill(t);
    damagePageOf(path, 1000);
    const messages: string[] = [];
    const log = { ...silentLog, error: (_: object, message: string) => void messages.push(message) };
    const database = Database.open(path, { log });
    database.migrate('people', tables);
    const kept = count(database, 'people');
    assert.ok(kept > rows * 0.9 && kept < rows, `${kept} rows`);
    assert.equal(count(database, 'friends'), kept);
    assert.match(messages[0]!, /moved to .*\.corrupt-.*, and \d+ rows of it are kept/);
    assert.equal(database.damaged, true);
    const next = database.prepare("insert into people (name) values ('new') returning number").get();
    assert.equal(next?.['number'], rows + 1);
    database.forgetDamage();
    database.close();
    const again = Database.open(path);
    assert.equal(again.damaged, false);
    assert.equal(count(again, 'people'), kept + 1);
    again.close();
  });

  test('that was cut short keeps what is left', t => {
    const path = fill(t);
    truncateSync(path, statSync(path).size - 10 * pageBytes);
    const database = Database.open(path);
    t.after(() => database.close());
    database.migrate('people', tables);
    assert.ok(count(database, 'people') > 0);
    assert.equal(database.damaged, true);
  });

  test('that is gone is known to be, where there must have been one', t => {
    const path = fill(t);
    rmSync(path);
    const database = Database.open(path, { expected: true });
    t.after(() => database.close());
    assert.equal(database.damaged, true);
    database.migrate('people', tables);
    assert.equal(count(database, 'people'), 0);
  });

  test('whose replacement was cut off is replaced at the next start, and its successor is not', t => {
    const path = fill(t);
    damagePageOf(path, 1000);
    // A directory that cannot be made: the corrupt file stays where it is, the new one beside it.
    assert.throws(() => Database.open(path, { quarantine: join(path, 'below a file') }));
    assert.equal(existsSync(`${path}.salvaged`), true);
    const database = Database.open(path);
    t.after(() => database.close());
    assert.ok(count(database, 'people') > 0);
    assert.equal(existsSync(`${path}.salvaged`), false);
    assert.equal(readdirSync(join(path, '..')).filter(name => /\.corrupt-.*Z$/.test(name)).length, 1);
  });
});
