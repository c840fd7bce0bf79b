import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { LargeFile } from './large-file.ts';

const content = randomBytes(3_000_000);

suite('a large file', () => {
  for (const [what, pieces] of [
    ['in pieces of any size', [0, 1, 100_000, 1 << 20, 2_500_001, content.length]],
    ['in one', [0, content.length]],
  ] as const) {
    test(what, () => {
      const found = written(file => {
        for (const [index, start] of pieces.entries())
          file.write(content.subarray(start, pieces[index + 1] ?? start), start);
      });
      assert.ok(found.equals(content));
    });
  }

  test('with holes', () => {
    const wanted = Buffer.from(content);
    wanted.fill(0, 5_000, 9_999);
    wanted.fill(0, 1_200_000, 1_208_192);
    const found = written(file => {
      file.write(content.subarray(0, 5_000), 0);
      file.write(content.subarray(9_999, 1_200_000), 9_999);
      file.write(content.subarray(1_208_192), 1_208_192);
    });
    assert.ok(found.equals(wanted));
  });
});

function written(write: (file: LargeFile) => void): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-large-'));
  const path = join(directory, 'file');
  writeFileSync(path, '');
  const file = new LargeFile(path);
  try {
    write(file);
    file.finish();
    return readFileSync(path);
  } finally {
    file.close();
    rmSync(directory, { recursive: true });
  }
}
