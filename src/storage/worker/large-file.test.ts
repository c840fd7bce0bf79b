import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { LargeFile } from './large-file.ts';

const content = randomBytes(6_000_000);

suite('a large file', () => {
  for (const [what, pieces] of [
    ['in pieces of any size', [0, 1, 100_000, 1 << 20, 2_500_001, 5_999_999, content.length]],
    ['in one', [0, content.length]],
  ] as const) {
    test(what, async () => {
      const found = await written(file => {
        for (const [index, start] of pieces.entries())
          file.write(content.subarray(start, pieces[index + 1] ?? start), start);
      });
      assert.ok(found.equals(content));
    });
  }

  test('with holes', async () => {
    const wanted = Buffer.from(content);
    wanted.fill(0, 5_000, 9_999);
    wanted.fill(0, 1_200_000, 1_208_192);
    const found = await written(file => {
      file.write(content.subarray(0, 5_000), 0);
      file.write(content.subarray(9_999, 1_200_000), 9_999);
      file.write(content.subarray(1_208_192), 1_208_192);
    });
    assert.ok(found.equals(wanted));
  });

  test('whoever waits for the disk finds room again', async () => {
    let waited = 0;
    const found = await written(async file => {
      for (let at = 0; at < content.length; at += 1 << 19) {
        file.write(content.subarray(at, at + (1 << 19)), at);
        const room = file.behind();
        if (room === undefined) continue;
        waited++;
        await room;
        assert.equal(file.behind(), undefined);
      }
    });
    assert.ok(found.equals(content));
    assert.ok(waited > 0);
  });

  test('a full disk is told of by what comes next, and at the end', async () => {
    const file = new LargeFile('/dev/full');
    file.write(content.subarray(0, 1 << 20), 0);
    await file.settled();
    assert.throws(() => file.write(content.subarray(1 << 20), 1 << 20), { code: 'ENOSPC' });
    await assert.rejects(file.finish(), { code: 'ENOSPC' });
    file.close();
  });

  test('a disk that is full when nothing is left to come is told of at the end', async () => {
    const file = new LargeFile('/dev/full');
    file.write(content.subarray(0, 100), 0);
    await assert.rejects(file.finish(), { code: 'ENOSPC' });
    file.close();
  });
});

async function written(write: (file: LargeFile) => void | Promise<void>): Promise<Buffer> {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-large-'));
  const path = join(directory, 'file');
  writeFileSync(path, '');
  const file = new LargeFile(path);
  try {
    await write(file);
    await file.finish();
    return readFileSync(path);
  } finally {
    await file.settled();
    file.close();
    rmSync(directory, { recursive: true });
  }
}
