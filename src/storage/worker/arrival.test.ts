import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { Arrival } from './arrival.ts';
import type { LayerFile } from './layer-file.ts';

function temporaryFile(t: TestContext): number {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-arrival-'));
  const fd = openSync(join(folder, 'file'), 'w+');
  t.after(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  return fd;
}

/** Two bytes at a time. */
function readerOf(fd: number): Pick<LayerFile, 'read'> {
  return {
    async read(at, limit = 2) {
      const bytes = Buffer.alloc(Math.min(limit, 2));
      return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, at));
    },
  };
}

suite('a file that is still being written', () => {
  test('is read as far as it is said to be there, to its end', async t => {
    const fd = temporaryFile(t);
    const arrival = new Arrival();
    writeSync(fd, 'one two');
    arrival.reached(3);
    const chunks = new Arrival(arrival.shared).chunks(readerOf(fd));
    const next = async () => (await chunks.next()).value?.toString();
    assert.equal(await next(), 'on');
    assert.equal(await next(), 'e');
    const more = next();
    arrival.reached(5);
    assert.equal(await more, ' t');
    arrival.reached(7);
    arrival.end();
    assert.equal(await next(), 'wo');
    assert.equal(await next(), undefined);
  });

  test('whose bytes stop coming is no whole one', async t => {
    const fd = temporaryFile(t);
    const arrival = new Arrival();
    const first = arrival.chunks(readerOf(fd)).next();
    arrival.fail();
    arrival.end();
    await assert.rejects(first, { kind: 'cancelled' });
  });

  test('its beginning can be waited for, or that there is none', async () => {
    const arrival = new Arrival();
    const enough = arrival.atLeast(2);
    let settled = false;
    void enough.then(() => (settled = true));
    arrival.reached(1);
    await new Promise(resolve => setImmediate(resolve));
    assert.equal(settled, false);
    arrival.reached(2);
    await enough;
    const never = new Arrival();
    const none = never.atLeast(2);
    never.end();
    await none;
  });
});
