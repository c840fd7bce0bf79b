import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { silentLog } from '../../stdx/log.ts';
import { Database } from '../../storage/database.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { ContainerStore } from '../containers/store.ts';
import { ScheduleStore } from './store.ts';

const record = {
  id: 'abc',
  name: 'job',
  config: {},
  state: {},
  endpoints: {},
  mounts: [],
  hostConfig: { schedule: { cron: '@daily', timeZone: '', catchUp: false } },
} as unknown as ContainerRecord;

describe('the rows of schedules', () => {
  let folder: string;
  let database: Database;
  let store: ScheduleStore;
  const open = () => {
    database = Database.open(join(folder, 'state.db'));
    const containers = new ContainerStore(database, silentLog);
    if (!containers.hasName('job')) containers.add(record);
    store = new ScheduleStore(database);
    store.follow(record);
  };
  /** As after a kill: what is in memory is gone. */
  const reopen = () => {
    database.close();
    open();
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gantry-schedules-'));
    open();
  });
  afterEach(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });

  const due = (ms: number) => ({
    throughMs: ms,
    nextMs: undefined,
    run: { dueMs: ms, trigger: 'due' as const },
  });
  const lines = () =>
    store
      .history('abc')
      .map(({ dueMs, outcome, times, lastDueMs }) => `${dueMs}-${lastDueMs} ${outcome} ${times}`);

  test('a run is settled before it is started, and stays open until its end', () => {
    store.settle('abc', due(1000), undefined);
    reopen();
    assert.equal(store.state('abc')?.throughMs, 1000);
    assert.deepEqual(lines(), ['1000-1000 starting 1']);
    assert.ok(store.hasOpenRun('abc'));
    store.started(store.unsettled()[0]!.id, 1005);
    reopen();
    const end = { finishedAtMs: 2000.25, stoppedByUser: false, replaced: false };
    assert.equal(store.ended('abc', { ...end, exitCode: 3 })?.outcome, 'failed');
    assert.equal(store.ended('abc', { ...end, exitCode: 0 }), undefined);
    reopen();
    const [run] = store.history('abc');
    assert.deepEqual(
      [run?.startedAtMs, run?.finishedAtMs, run?.exitCode, store.unsettled()],
      [1005, 2000, 3, []],
    );
  });

  test('skipped ones share a line until something else happens', () => {
    store.settle('abc', due(1000), undefined);
    for (const ms of [2000, 3000, 4000]) store.settle('abc', due(ms), 'the run before goes on');
    store.settle(
      'abc',
      { ...due(9000), missed: { firstMs: 5000, lastMs: 8000, times: 4, more: false } },
      'busy',
    );
    assert.deepEqual(lines(), [
      '9000-9000 skipped 1',
      '5000-8000 missed 4',
      '2000-4000 skipped 3',
      '1000-1000 starting 1',
    ]);
    assert.equal(store.latest('abc')?.dueMs, 1000, 'the run under way');
  });

  test('the newest hundred lines are kept, and the run under way', () => {
    store.settle('abc', due(1), undefined);
    for (let ms = 2; ms < 300; ms++) {
      store.settle('abc', { ...due(ms), missed: { firstMs: ms, lastMs: ms, times: 1, more: false } }, 'busy');
    }
    const kept = store.history('abc', 1000);
    assert.equal(kept.length, 101);
    assert.equal(kept.at(-1)?.outcome, 'starting');
  });

  test('another schedule begins anew, the same goes on, none is forgotten', () => {
    store.settle('abc', due(1000), undefined);
    store.pause('abc');
    store.follow({ ...record, hostConfig: { ...record.hostConfig } });
    assert.equal(store.state('abc')?.throughMs, 1000);
    const schedule = { cron: '@hourly', timeZone: '', catchUp: false };
    store.follow({ ...record, hostConfig: { ...record.hostConfig, schedule } });
    assert.ok(store.state('abc')!.throughMs > 1000);
    assert.ok(store.state('abc')!.paused);
    store.follow({ ...record, hostConfig: { ...record.hostConfig, schedule: undefined } });
    assert.equal(store.state('abc'), undefined);
    assert.equal(store.history('abc').length, 1);
  });

  test('all of it goes with the container', () => {
    store.settle('abc', due(1000), undefined);
    database.prepare('delete from containers').run();
    store.forget('abc');
    assert.deepEqual(
      [store.history('abc'), store.state('abc'), store.hasOpenRun('abc')],
      [[], undefined, false],
    );
    assert.equal(database.prepare('select * from schedules').all().length, 0);
  });
});
