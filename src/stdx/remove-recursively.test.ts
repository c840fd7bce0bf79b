import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { removeRecursively } from './remove-recursively.ts';

/** Unlinks the six files of the directory each time the first cell says so, and says in the second that it has. */
const remover = `
  const { unlinkSync } = require('node:fs');
  const { cells, path } = require('node:worker_threads').workerData;
  for (let round = 1; ; round++) {
    while (Atomics.load(cells, 0) !== round);
    for (let file = 0; file < 6; file++) try { unlinkSync(path + '/' + file); } catch {}
    Atomics.store(cells, 1, round);
  }
`;

test('a directory goes, also when another removes its files at the same time', async () => {
  const root = mkdtempSync(join(tmpdir(), 'gantry-remove-'));
  const path = join(root, 'tree');
  const cells = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(remover, { eval: true, workerData: { cells, path } });
  try {
    for (let round = 1; round <= 100; round++) {
      mkdirSync(join(path, 'inner'), { recursive: true });
      for (let file = 0; file < 6; file++) writeFileSync(join(path, String(file)), '');
      Atomics.store(cells, 0, round);
      removeRecursively(path);
      assert.equal(existsSync(path), false, `round ${round}`);
      while (Atomics.load(cells, 1) !== round);
    }
    removeRecursively(path);
  } finally {
    await worker.terminate();
    rmSync(root, { recursive: true });
  }
});

test('links go, what they point to stays; names need not be UTF-8', t => {
  const root = mkdtempSync(join(tmpdir(), 'gantry-remove-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'kept'));
  writeFileSync(join(root, 'kept/file'), '');
  const tree = join(root, 'tree');
  mkdirSync(join(tree, 'inner'), { recursive: true });
  symlinkSync(join(root, 'kept'), join(tree, 'inner/link'));
  symlinkSync('nowhere', join(tree, 'dangling'));
  const odd = Buffer.concat([Buffer.from(`${tree}/inner/`), Buffer.from([0xff, 0xfe])]);
  mkdirSync(odd);
  writeFileSync(Buffer.concat([odd, Buffer.from('/x')]), '');
  removeRecursively(tree);
  const link = join(root, 'link');
  symlinkSync(join(root, 'kept'), link);
  removeRecursively(link);
  removeRecursively(join(root, 'nothing'));
  assert.equal(lstatSync(link, { throwIfNoEntry: false }), undefined);
  assert.deepEqual(readdirSync(root), ['kept']);
  assert.deepEqual(readdirSync(join(root, 'kept')), ['file']);
});
