import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawTree, type TreeEntry } from './draw-tree.ts';

const size = { rows: 24, columns: 60 };
const entry = (id: string, status: string, more: Partial<TreeEntry> = {}): TreeEntry => ({
  id,
  status,
  state: 'working',
  startedMs: 1000,
  ...more,
});
const done = { state: 'done', endedMs: 1500 } as const;

test('a head that counts, and a line for each thing with its time', () => {
  const entries = [
    entry('Network shop_default', 'Created', done),
    entry('Container shop-db-1', 'Waiting'),
    entry('Container shop-web-1', 'Error', { state: 'failed', endedMs: 3000 }),
    entry('Container shop-old-1', 'Running', { state: 'stands', endedMs: 1000 }),
  ];
  assert.deepEqual(drawTree('Running', entries, size, 2200, false), [
    '[+] Running 3/4',
    ' ✔ Network shop_default  Created                       0.5s',
    ' ⠹ Container shop-db-1   Waiting                       1.2s',
    ' ✘ Container shop-web-1  Error                         2.0s',
    ' ✔ Container shop-old-1  Running                       0.0s',
  ]);
});

test('parts are shown while they are worked on, with a bar where it is known how far they are', () => {
  const entries = [
    entry('web', 'Pulling'),
    entry('abc', 'Downloading', { parent: 'web', current: 25, total: 100 }),
    entry('def', 'Pull complete', { parent: 'web', ...done }),
    entry('db', 'Pulled', done),
    entry('ghi', 'Downloading', { parent: 'db' }),
  ];
  assert.deepEqual(drawTree('Running', entries, size, 1000, false), [
    '[+] Running 1/2',
    ' ⠋ web  Pulling                                        0.0s',
    ' ⠋   abc  Downloading [=====               ] 25%       0.0s',
    ' ✔ db   Pulled                                         0.5s',
  ]);
});

test('no line is wider than the screen, and none is below it', () => {
  const entries = Array.from({ length: 9 }, (_, at) =>
    entry(`Container ${at} with a long name`, 'Created', at < 5 ? done : {}),
  );
  const lines = drawTree('Running', entries, { rows: 6, columns: 30 }, 1000, false);
  assert.equal(lines.length, 5);
  assert.ok(
    lines.every(line => line.length < 30),
    lines.join('\n'),
  );
  // What is worked on comes before what is done.
  assert.match(lines[1]!, /Container 5/);
  assert.equal(lines[4], ' ... 6 more');
  assert.equal(drawTree('Running', entries, { rows: Infinity, columns: 30 }, 1000, false).length, 10);
});

test('colours stand around the words and change no width', () => {
  const [head, line] = drawTree('Running', [entry('a', 'Created', done)], size, 1000, true);
  const [plainHead, plainLine] = drawTree('Running', [entry('a', 'Created', done)], size, 1000, false);
  assert.equal(head!.replace(/\x1b\[\d+m/g, ''), plainHead);
  assert.equal(line!.replace(/\x1b\[\d+m/g, ''), plainLine);
  assert.match(line!, /\x1b\[32mCreated/);
});
