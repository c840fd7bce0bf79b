import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { Database } from './database.ts';

function fileFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-database-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'state.db');
}

const table = 'create table things (name text primary key) strict';

suite('the state database', () => {
  test('runs each migration once, and none of a newer version', t => {
    const path = fileFor(t);
    const first = Database.open(path);
    first.migrate('room', [table]);
    first.prepare('insert into things values (?)').run('kept');
    first.close();
    const second = Database.open(path);
    second.migrate('room', [table, 'alter table things add column size integer']);
    assert.equal(second.prepare('select name, size from things').all().length, 1);
    assert.throws(() => second.migrate('room', [table]), { kind: 'conflict', message: /newer version/ });
    assert.throws(() => second.migrate('other', ['create table fine (x integer) strict', 'no sql']));
    assert.throws(() => second.prepare('select * from fine'));
    second.close();
  });

  test('undoes what throws, and only that', t => {
    const database = Database.open(fileFor(t));
    t.after(() => database.close());
    database.migrate('room', [table]);
    const insert = (name: string) => database.prepare('insert into things values (?)').run(name);
    database.transaction(() => {
      insert('a');
      assert.throws(
        () =>
          database.transaction(() => {
            insert('b');
            throw new Error('inner');
          }),
        /inner/,
      );
      database.transaction(() => insert('c'));
    });
    assert.throws(
      () =>
        database.transaction(() => {
          insert('d');
          insert('a');
        }),
      /UNIQUE/,
    );
    assert.throws(() => database.transaction(async () => insert('e')), /must be synchronous/);
    const names = database
      .prepare('select name from things order by name')
      .all()
      .map(row => row['name']);
    assert.deepEqual(names, ['a', 'c']);
  });

  test('holds foreign keys', t => {
    const database = Database.open(fileFor(t));
    t.after(() => database.close());
    database.migrate('room', [
      'create table a (x integer primary key) strict; create table b (x integer references a) strict',
    ]);
    assert.throws(() => database.prepare('insert into b values (1)').run(), /FOREIGN KEY/);
  });

  for (const [what, bytes] of [
    ['rubbish', Buffer.alloc(20_000, 'rubbish')],
    ['a damaged page', 'page'],
  ] as const) {
    test(`moves ${what} aside and begins anew`, t => {
      const path = fileFor(t);
      const first = Database.open(path);
      first.migrate('room', [table]);
      for (let n = 0; n < 1000; n++) first.prepare('insert into things values (?)').run(`${n}`.repeat(10));
      first.close();
      writeFileSync(path, bytes === 'page' ? Buffer.alloc(5000, 0x55) : bytes, {
        flag: bytes === 'page' ? 'r+' : 'w',
      });
      const messages: string[] = [];
      const log = {
        debug() {},
        info() {},
        warn() {},
        error: (_: object, message: string) => void messages.push(message),
      };
      const second = Database.open(path, { log });
      t.after(() => second.close());
      assert.match(messages[0]!, /the state database is corrupt; it was moved to .*\.corrupt-/);
      assert.equal(readdirSync(join(path, '..')).filter(name => name.includes('corrupt')).length, 1);
      second.migrate('room', [table]);
      assert.equal(second.prepare('select * from things').all().length, 0);
    });
  }
});
