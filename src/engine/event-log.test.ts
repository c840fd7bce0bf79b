import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Database } from '../storage/database.ts';
import { EventLog } from './event-log.ts';
import { EventBus } from './events.ts';

test('events are replayed after a restart, the newest only, with times that go on growing', t => {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-events-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'state.db');
  const open = () => {
    const database = Database.open(path);
    const log = new EventLog(database, 3);
    return { database, log, bus: new EventBus(log) };
  };
  const first = open();
  for (const name of ['a', 'b', 'c', 'd']) first.bus.publish('volume', 'create', name, { driver: 'local' });
  const [, , , last] = first.bus.recent(0n);
  first.log.flush();
  first.database.close();

  const second = open();
  assert.deepEqual(
    second.bus.recent(0n).map(({ actor }) => actor.id),
    ['b', 'c', 'd'],
  );
  assert.deepEqual(second.bus.recent(0n).at(-1), last);
  assert.ok(second.bus.publish('volume', 'destroy', 'd', {}).timeNs > last!.timeNs);
  second.log.flush();
  assert.equal(second.log.read().length, 3);
  second.database.close();
});
