import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { digestOf } from '../../oci/digest.ts';
import { type HashedColumns, hashTree } from './hash-tree.ts';

test('of a tree that was hashed before, only what has changed is read', t => {
  const root = mkdtempSync(join(tmpdir(), 'gantry-hash-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const name of ['kept', 'replaced', 'rewritten']) writeFileSync(join(root, name), 'old');
  const before = hashTree(root, undefined, new Map());
  const told = columnsOf(before.packed);
  // What nobody can have read from a file.
  told.contents = told.contents.map(content => (content === '' ? '' : digestOf('told')));
  const known = new Uint8Array(zstdCompressSync(JSON.stringify(told)));

  const { atime, mtime } = statSync(join(root, 'replaced'));
  writeFileSync(join(root, 'aside'), 'new');
  utimesSync(join(root, 'aside'), atime, mtime);
  renameSync(join(root, 'aside'), join(root, 'replaced'));
  writeFileSync(join(root, 'rewritten'), 'other');
  const after = columnsOf(hashTree(root, undefined, new Map(), known).packed);
  assert.deepEqual(after.paths, ['', 'kept', 'replaced', 'rewritten']);
  assert.deepEqual(after.contents, ['', digestOf('told'), digestOf('new'), digestOf('other')]);
  assert.equal(
    hashTree(root, undefined, new Map(), before.packed).digest,
    hashTree(root, undefined, new Map()).digest,
  );
});

function columnsOf(packed: Uint8Array): HashedColumns {
  return JSON.parse(zstdDecompressSync(packed).toString('utf8')) as HashedColumns;
}
