import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { DirectFile, directAlignment, directBuffer } from './direct-file.ts';

suite('a file written past the page cache', () => {
  // One that may be able to, and one in memory.
  for (const place of [tmpdir(), '/dev/shm'].filter(existsSync)) {
    test(`has what was written, in ${place}`, async () => {
      const directory = mkdtempSync(join(place, 'gantry-direct-'));
      const path = join(directory, 'file');
      writeFileSync(path, '');
      const file = new DirectFile(path);
      try {
        const content = randomBytes(3 * directAlignment + 1234);
        const first = directBuffer(2 * directAlignment);
        first.set(content.subarray(0, first.length));
        await file.write(first, 0);
        const rest = directBuffer(2 * directAlignment);
        rest.set(content.subarray(first.length));
        await file.write(rest.subarray(0, content.length - first.length), first.length);
        assert.deepEqual(readFileSync(path), content);
      } finally {
        file.close();
        rmSync(directory, { recursive: true });
      }
    });
  }
});
