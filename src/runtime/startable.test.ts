import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { looksStartable } from './startable.ts';

test('a program is looked for as in the container: by path, in $PATH, through links that stay inside', t => {
  const root = mkdtempSync(join(tmpdir(), 'startable-'));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'bin/directory'), { recursive: true });
  writeFileSync(join(root, 'bin/tool'), '');
  chmodSync(join(root, 'bin/tool'), 0o755);
  writeFileSync(join(root, 'bin/text'), '');
  symlinkSync('/bin/tool', join(root, 'bin/link'));
  symlinkSync('../../../../bin/sh', join(root, 'bin/outside'));
  const starts = (program: string, cwd = '/', path = '/nowhere:/bin') =>
    looksStartable(root, { args: [program], cwd, env: ['A=1', `PATH=${path}`] });
  for (const program of ['tool', 'link', '/bin/tool', 'bin/tool', './bin/link']) {
    assert.equal(starts(program), true, program);
  }
  for (const program of ['', 'nothing', 'text', 'directory', '/bin', '/bin/text', 'outside', '/tool']) {
    assert.equal(starts(program), false, program);
  }
  assert.equal(starts('./tool', '/bin'), true);
  assert.equal(starts('/bin/tool', '/nowhere'), false);
  assert.equal(starts('tool', '/', '/nowhere'), false);
});
