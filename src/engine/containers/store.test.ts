import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../stdx/log.ts';
import { Database } from '../../storage/database.ts';
import { ContainerStore } from './store.ts';

const whole = { config: {}, hostConfig: {}, state: {}, endpoints: {}, mounts: [] };
const rows: [id: string, record: string][] = [
  ['a1', JSON.stringify({ id: 'a1', name: 'name-a1', ...whole })],
  ['b2', '{"id":"b2","name":'],
  ['c3', 'null'],
  ['d4', JSON.stringify({ id: 'a1', name: 'name-a1', ...whole })],
  ['e5', JSON.stringify({ id: 'e5', name: 'name-e5', ...whole, state: undefined })],
];

test('rows that cannot be read are set aside, word for word, and the others are there', t => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-store-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const database = Database.open(join(directory, 'state.db'));
  t.after(() => database.close());
  new ContainerStore(database, silentLog);
  const insert = database.prepare('insert into containers (id, name, record) values (?, ?, ?)');
  for (const [id, record] of rows) insert.run(id, `name-${id}`, record);

  const store = new ContainerStore(database, silentLog);
  assert.deepEqual(
    store.list().map(({ id }) => id),
    ['a1'],
  );
  const aside = database.prepare('select id, record from containers_quarantined order by id').all();
  assert.deepEqual(
    aside.map(row => [row['id'], row['record']]),
    rows.slice(1),
  );
  assert.deepEqual(store.quarantined().sort(), ['b2', 'c3', 'd4', 'e5']);
  assert.equal(new ContainerStore(database, silentLog).list().length, 1);
});
