import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TreeWatcher } from './tree-watcher.ts';

const limitMs = 60_000;

let root: string;
const open: TreeWatcher[] = [];
beforeEach(() => {
  // In memory, where there is such a place: thousands of files are written.
  const place = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  root = mkdtempSync(join(place, 'gantry-watch-'));
});
afterEach(() => {
  for (const watcher of open.splice(0)) watcher.close();
  rmSync(root, { recursive: true, force: true });
});

function watchTree(path = root, skips?: (below: string) => boolean) {
  const told = new Set<string>();
  const watcher = new TreeWatcher(path, {
    onChanges: below => {
      for (const one of below) told.add(one);
    },
    onError: error => assert.fail(error.message),
    quietMs: 20,
    ...(skips === undefined ? {} : { skips }),
  });
  open.push(watcher);
  /** Waits until all of these were told, and gives what else was. */
  const until = async (wanted: readonly string[]) => {
    for (const endMs = Date.now() + limitMs; !wanted.every(one => told.has(one)); await sleep(10)) {
      const missing = wanted.filter(one => !told.has(one)).slice(0, 5);
      assert.ok(Date.now() < endMs, `not told: ${missing}; told ${[...told].slice(0, 20)}`);
    }
    const expected = new Set(wanted);
    const others = [...told].filter(one => !expected.has(one)).sort();
    told.clear();
    return others;
  };
  return { watcher, until };
}

const write = (name: string, text = name) => writeFileSync(join(root, name), text);
const make = (name: string) => mkdirSync(join(root, name), { recursive: true });

test('files that are written, replaced and removed are told, and what is beside them is not', async () => {
  make('sub');
  write('sub/kept');
  write('a');
  const { watcher, until } = watchTree();
  assert.deepEqual(watcher.paths(), ['', 'a', 'sub', 'sub/kept']);
  write('a', 'longer than before');
  assert.deepEqual(await until(['a']), []);
  // As editors save: a new file in the place of the old one.
  write('sub/.a.new', 'x');
  renameSync(join(root, 'sub/.a.new'), join(root, 'a'));
  assert.deepEqual(
    (await until(['a'])).filter(one => one !== 'sub/.a.new'),
    [],
  );
  rmSync(join(root, 'a'));
  await until(['a']);
  symlinkSync('/etc', join(root, 'link'));
  assert.deepEqual(await until(['link']), []);
  assert.deepEqual(watcher.paths(), ['', 'link', 'sub', 'sub/kept']);
});

test('directories that come and go are told with all that is in them, and are watched', async () => {
  const { watcher, until } = watchTree();
  make('one/two/three');
  write('one/two/three/f');
  await until(['one', 'one/two', 'one/two/three', 'one/two/three/f']);
  write('one/two/g');
  assert.deepEqual(await until(['one/two/g']), []);
  renameSync(join(root, 'one'), join(root, 'other'));
  await until(['one', 'one/two/three/f', 'other', 'other/two/three/f']);
  write('other/two/three/f', 'changed');
  assert.deepEqual(await until(['other/two/three/f']), []);
  rmSync(join(root, 'other'), { recursive: true });
  await until(['other', 'other/two/g', 'other/two/three/f']);
  make('other');
  write('other/again');
  await until(['other', 'other/again']);
  write('other/later');
  await until(['other/later']);
  assert.deepEqual(watcher.paths(), ['', 'other', 'other/again', 'other/later']);
});

test('thousands of files at once: none is missed', async () => {
  const { watcher, until } = watchTree();
  const names = Array.from({ length: 30 }, (_, at) => `d${at}`).flatMap(directory =>
    Array.from({ length: 100 }, (_, at) => `${directory}/f${at}`),
  );
  for (let at = 0; at < 30; at++) make(`d${at}`);
  for (const name of names) write(name, '1');
  await until(names);
  // More events than the kernel keeps for somebody who does not look.
  for (let round = 0; round < 3; round++) for (const name of names) write(name, `${'x'.repeat(round + 2)}`);
  await until(names);
  for (const name of names.slice(0, 2000)) rmSync(join(root, name));
  await until(names.slice(0, 2000));
  assert.equal(watcher.paths().length, 1 + 30 + 1000);
});

test('what is skipped is neither told nor watched', async () => {
  make('node_modules/deep');
  const { watcher, until } = watchTree(root, below => below === 'node_modules');
  write('node_modules/deep/f');
  write('node_modules/f');
  write('seen');
  assert.deepEqual(await until(['seen']), []);
  assert.deepEqual(watcher.paths(), ['', 'seen']);
});

test('one file, also when another takes its place', async () => {
  write('package.json');
  const { until } = watchTree(join(root, 'package.json'));
  write('other');
  write('package.json', 'changed');
  assert.deepEqual(await until(['']), []);
  write('next', 'new one');
  renameSync(join(root, 'next'), join(root, 'package.json'));
  assert.deepEqual(await until(['']), []);
  rmSync(join(root, 'package.json'));
  assert.deepEqual(await until(['']), []);
  write('package.json', 'again');
  assert.deepEqual(await until(['']), []);
});

test('what is not there is waited for, at first and when it has gone', async () => {
  const { watcher, until } = watchTree(join(root, 'a/b'));
  assert.equal(watcher.found, false);
  assert.deepEqual(watcher.paths(), []);
  make('a');
  write('a/other');
  make('a/b/c');
  write('a/b/c/f');
  await until(['', 'c', 'c/f']);
  assert.ok(watcher.found);
  // As a branch is changed, and another folder moved to the place.
  rmSync(join(root, 'a'), { recursive: true });
  await until(['', 'c', 'c/f']);
  make('next/b');
  write('next/b/g');
  renameSync(join(root, 'next'), join(root, 'a'));
  await until(['', 'g']);
  renameSync(join(root, 'a/b'), join(root, 'gone'));
  await until(['', 'g']);
  write('a/b', 'a file now');
  await until(['']);
  rmSync(join(root, 'a/b'));
  make('a/b');
  write('a/b/h');
  await until(['', 'h']);
  write('a/b/h', 'changed');
  assert.deepEqual(await until(['h']), []);
});
