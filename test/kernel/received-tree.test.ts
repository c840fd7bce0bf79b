import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ConfinedRoot } from '../../src/storage/confined.ts';
import type { ReceivedTree, TreeEntry } from '../../src/storage/tree-reception.ts';
import { WorkerPool } from '../../src/storage/worker-pool.ts';

const mtimeNs = 1_700_000_000_000_000_000n;

function entry(path: string, changes: Partial<TreeEntry> = {}): TreeEntry {
  return { path, type: 'file', permissions: 0o644, size: 0, mtimeNs, link: '', ...changes };
}

describe('a tree that a client sends file by file', () => {
  let outer: string;
  let directory: string;
  const workers = new WorkerPool();

  before(() => {
    outer = mkdtempSync(join(tmpdir(), 'gantry-received-'));
    directory = join(outer, 'tree');
    mkdirSync(directory);
    writeFileSync(join(outer, 'outside'), 'untouched');
  });

  after(async () => {
    await workers.close();
    rmSync(outer, { recursive: true, force: true });
  });

  /** @param contents of the files that may be wanted. @returns which were */
  async function send(
    entries: readonly TreeEntry[],
    contents: Record<string, string> = {},
  ): Promise<ReceivedTree & { wanted: string[] }> {
    const root = await ConfinedRoot.open(directory, workers);
    const wanted: string[] = [];
    try {
      const reception = root.receiveTree(indexes => {
        for (const index of indexes) {
          const { path } = entries[index]!;
          wanted.push(path);
          void reception.data(index, Buffer.from(contents[path] ?? ''));
          void reception.data(index, Buffer.alloc(0));
        }
      });
      for (const one of entries) reception.entry(one);
      reception.all();
      return { ...(await reception.done), wanted };
    } finally {
      await root.close();
    }
  }

  test('is the same afterwards, and only what changed is asked for again', async () => {
    const tree = [
      entry('a', { size: 3 }),
      entry('dir', { type: 'directory', permissions: 0o2750 }),
      entry('dir/empty', { permissions: 0o4755 }),
      entry('dir/hard', { type: 'hardlink', link: 'a' }),
      entry('link', { type: 'symlink', permissions: 0o777, link: '../outside' }),
    ];
    const first = await send(tree, { a: 'abc' });
    assert.deepEqual(first, { entries: 5, contentBytes: 3, receivedBytes: 3, wanted: ['a'] });
    assert.equal(readFileSync(join(directory, 'dir/hard'), 'utf8'), 'abc');
    assert.equal(readlinkSync(join(directory, 'link')), '../outside');
    assert.equal(statSync(join(directory, 'dir')).mode & 0o7777, 0o2750);
    assert.equal(statSync(join(directory, 'dir/empty')).mode & 0o7777, 0o4755);
    assert.equal(statSync(join(directory, 'dir')).mtimeMs, 1_700_000_000_000);
    assert.deepEqual((await send(tree)).wanted, []);
    const changed = [
      entry('a', { size: 4, mtimeNs: mtimeNs + 1n }),
      entry('dir', { type: 'symlink', link: 'a' }),
    ];
    assert.deepEqual((await send(changed, { a: 'abcd' })).wanted, ['a']);
    assert.deepEqual(readdirSync(directory), ['a', 'dir']);
    assert.equal(readFileSync(join(directory, 'dir'), 'utf8'), 'abcd');
  });

  test('cannot name or reach anything outside', async () => {
    for (const path of [
      '../outside',
      '/outside',
      'a/../../outside',
      '',
      '.',
      '..',
      'x//y',
      'missing/file',
      'n\0l',
    ]) {
      await assert.rejects(send([entry(path, { size: 1 })], { [path]: 'x' }), { kind: 'invalid' }, path);
    }
    const through = [entry('way', { type: 'symlink', link: '..' }), entry('way/outside', { size: 1 })];
    await assert.rejects(send(through), { kind: 'invalid' });
    await assert.rejects(send([entry('h', { type: 'hardlink', link: '../outside' })]), { kind: 'invalid' });
    await assert.rejects(send([entry('a'), entry('a')]), /comes twice/);
    assert.equal(readFileSync(join(outer, 'outside'), 'utf8'), 'untouched');
    assert.equal(existsSync(join(outer, 'a')), false);
  });

  test('links that lie in the way are replaced, not followed', async () => {
    symlinkSync('../outside', join(directory, 'file'));
    await send([entry('file', { size: 3 })], { file: 'new' });
    assert.equal(readFileSync(join(directory, 'file'), 'utf8'), 'new');
    assert.equal(readFileSync(join(outer, 'outside'), 'utf8'), 'untouched');
  });

  test('contents nobody asked for are refused', async () => {
    const root = await ConfinedRoot.open(directory, workers);
    try {
      const reception = root.receiveTree(() => {});
      reception.entry(entry('b'));
      await reception.data(7, Buffer.from('x'));
      await assert.rejects(reception.done, /was not asked for/);
    } finally {
      await root.close();
    }
  });
});
