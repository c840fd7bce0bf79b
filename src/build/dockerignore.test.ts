import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { pruneContext } from './dockerignore.ts';

async function left(files: Record<string, string>, dockerfile = 'Dockerfile'): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), 'gantry-ignore-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      if (text.startsWith('-> ')) symlinkSync(text.slice(3), join(root, path));
      else writeFileSync(join(root, path), text);
    }
    await pruneContext(root, dockerfile);
    return (readdirSync(root, { recursive: true }) as string[]).sort();
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('what .dockerignore leaves out is gone, and empty directories with it', async () => {
  const files = {
    'a/b.md': '',
    'a/keep.md': '',
    'c/d.md': '',
    'e.txt': '',
    '.dockerignore': 'a\nc\n!**/keep.md',
  };
  assert.deepEqual(await left(files), ['.dockerignore', 'a', 'a/keep.md', 'e.txt']);
  assert.deepEqual(await left({ Dockerfile: '', x: '', '.dockerignore': 'Dockerfile\n.dockerignore' }), [
    'x',
  ]);
});

test("a Dockerfile's own ignore file wins", async () => {
  const files = { x: '', y: '', '.dockerignore': 'x', 'web.Dockerfile.dockerignore': 'y' };
  const names = await left(files, 'web.Dockerfile');
  assert.deepEqual(
    names.filter(name => name.length === 1),
    ['x'],
  );
});

test('links are removed, never followed', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'gantry-outside-'));
  try {
    writeFileSync(join(outside, 'precious'), '');
    assert.deepEqual(await left({ link: `-> ${outside}`, '.dockerignore': '*' }), []);
    assert.deepEqual(readdirSync(outside), ['precious']);
    assert.deepEqual(await left({ x: '', '.dockerignore': `-> ${join(outside, 'precious')}` }), [
      '.dockerignore',
      'x',
    ]);
  } finally {
    rmSync(outside, { recursive: true });
  }
});
