import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { encodeEnd, encodeHeader, encodePadding, type TarHeaderInit } from '../../archive/tar-writer.ts';
import { packTree } from './pack.ts';
import { planCopy, renameTop, splitCopyArgument } from './paths.ts';
import { unpackInto } from './unpack.ts';

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'copy-'));
  context.after(() => rmSync(path, { recursive: true }));
  return path;
}

async function* archive(...entries: (TarHeaderInit & { content?: string })[]) {
  for (const { content = '', ...header } of entries) {
    yield encodeHeader({ ...header, size: content.length });
    yield Buffer.from(content);
    yield encodePadding(content.length);
  }
  yield encodeEnd();
}

test('arguments', () => {
  assert.deepEqual(splitCopyArgument('web:/etc'), { container: 'web', path: '/etc' });
  assert.deepEqual(splitCopyArgument('./a:b'), { path: './a:b' });
  assert.deepEqual(splitCopyArgument('-'), { path: '-' });
});

test('where a copy goes', () => {
  const file = { path: '/a/f', isDirectory: false };
  const directory = { path: '/a/d', isDirectory: true };
  const there = { path: '/t', exists: true, isDirectory: true };
  const absent = { path: '/t/new', exists: false, isDirectory: false };
  assert.deepEqual(planCopy(file, there), { directory: '/t', top: 'f' });
  assert.deepEqual(planCopy(directory, there), { directory: '/t', top: 'd' });
  assert.deepEqual(planCopy({ ...directory, path: '/a/d/.' }, there), { directory: '/t', top: undefined });
  assert.deepEqual(planCopy(directory, absent), { directory: '/t', top: 'new' });
  assert.deepEqual(planCopy(directory, { path: '/t', exists: true, isDirectory: false }), {
    fault: 'cannot copy directory',
  });
  assert.equal(renameTop('etc/passwd', 'copy'), 'copy/passwd');
});

test('a tree comes back as it was', async context => {
  const from = folder(context);
  const to = folder(context);
  mkdirSync(join(from, 'd'));
  writeFileSync(join(from, 'd/f'), 'hello', { mode: 0o640 });
  symlinkSync('f', join(from, 'd/l'));
  const bytes = await unpackInto(to, packTree(from, { top: 'top' }), name => name, { owners: false });
  assert.equal(bytes, 5);
  assert.equal(readFileSync(join(to, 'top/d/f'), 'utf8'), 'hello');
  assert.equal(statSync(join(to, 'top/d/f')).mode & 0o777, 0o640);
  assert.equal(readlinkSync(join(to, 'top/d/l')), 'f');
});

test('an archive that climbs out is refused', async context => {
  const to = folder(context);
  const outside = folder(context);
  const unpack = (source: AsyncIterable<Buffer>) => unpackInto(to, source, name => name, { owners: false });
  await assert.rejects(unpack(archive({ name: 'a/../../x', type: 'file', content: 'x' })), /leads out/);
  const throughLink = archive(
    { name: 'link', type: 'symlink', linkName: outside },
    { name: 'link/x', type: 'file', content: 'x' },
  );
  await assert.rejects(unpack(throughLink), /goes through/);
  assert.equal(statSync(join(outside, 'x'), { throwIfNoEntry: false }), undefined);
});
