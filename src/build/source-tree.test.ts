import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConfinedRoot, HashedTree } from '../storage/confined.ts';
import type { TreeHash } from '../storage/worker/hash-tree.ts';
import { KnownTrees, SourceTree, TreeMemory } from './source-tree.ts';

/** A tree whose hashes say what was hashed and what was known of it before. */
function treeWith(memory: TreeMemory) {
  let opened = 0;
  const root = {
    hashTree: async (path: string, { known }: { known?: HashedTree } = {}) =>
      hashed(`${path}${known === undefined ? '' : ` after ${known.digest}`}`),
  } as unknown as ConfinedRoot;
  const open = async () => {
    opened++;
    return root;
  };
  return { tree: new SourceTree(open, memory), opened: () => opened };
}

function hashed(digest: string, bytes = 1): HashedTree {
  return new HashedTree({ digest, packed: new Uint8Array(bytes), count: 1 } as unknown as TreeHash);
}

test('what was found out about a tree is asked for once, in one build and in the next', async () => {
  const memory = new TreeMemory();
  let found = 0;
  const find = async () => ++found;
  const first = treeWith(memory).tree;
  const answers = await Promise.all([
    first.recall(['copied', 'a'], find),
    first.recall(['copied', 'a'], find),
  ]);
  assert.deepEqual(answers, [1, 1]);
  const { tree, opened } = treeWith(memory);
  assert.equal(await tree.recall(['copied', 'a'], find), 1);
  assert.equal(await tree.recall(['copied', 'b'], find), 2);
  assert.equal(opened(), 0);
});

test('a tree is opened once, by the first who looks at it', async () => {
  const { tree, opened } = treeWith(new TreeMemory());
  assert.equal(opened(), 0);
  assert.equal(tree.isKnown, false);
  await Promise.all([tree.hash('/a'), tree.hash('/b'), tree.root()]);
  assert.equal(opened(), 1);
  assert.equal(tree.isKnown, true);
});

test('a failure is not remembered', async () => {
  const memory = new TreeMemory();
  const failing = () => Promise.reject(new Error('gone'));
  await assert.rejects(treeWith(memory).tree.recall(['copied', 'a'], failing), /gone/);
  assert.equal(await treeWith(memory).tree.recall(['copied', 'a'], async () => 1), 1);
});

test('after a change nothing is known but what the files were', async () => {
  const memory = new TreeMemory();
  const before = treeWith(memory).tree;
  await before.hash('/a');
  await before.recall(['copied', 'a'], async () => 'old');
  const changed = memory.afterChange();
  const { tree } = treeWith(changed);
  assert.equal(await tree.recall(['copied', 'a'], async () => 'new'), 'new');
  assert.equal((await tree.hash('/a')).digest, '/a after /a');
  // A change that nobody built does not make it forget.
  const again = treeWith(changed.afterChange().afterChange()).tree;
  assert.equal((await again.hash('/a')).digest, '/a after /a after /a');
  assert.equal((await before.hash('/a')).digest, '/a');
});

test('a tree of which ever new things are asked starts over', () => {
  const memory = new TreeMemory();
  for (let index = 0; index < 1001; index++) memory.remember(String(index), index);
  assert.equal(memory.find('0'), undefined);
  assert.deepEqual(memory.find('1000'), { answer: 1000 });
});

test('of trees that never change those are forgotten that nobody asked for longest', () => {
  const known = new KnownTrees();
  const first = known.of('first');
  for (let index = 1; index < 64; index++) known.of(String(index));
  assert.equal(known.of('first'), first);
  known.of('one more');
  assert.equal(known.of('first'), first);
  const large = known.of('large');
  large.rememberHash('/', hashed('large', 33 << 20));
  assert.equal(known.of('large'), large);
  assert.notEqual(known.of('first'), first);
});
