import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Readable } from 'node:stream';
import { suite, test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { createCompressor, decompress, detectCompression } from './compression.ts';

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const content = Buffer.concat([randomBytes(700_000), Buffer.alloc(1_500_000, 'text ')]);

suite('compression', () => {
  for (const compression of ['gzip', 'zstd'] as const) {
    test(`${compression} there and back`, async () => {
      for (const bytes of [content, Buffer.alloc(0), Buffer.from('x')]) {
        const compressed = await bytesOf(Readable.from([bytes]).pipe(createCompressor(compression)));
        assert.equal(detectCompression(compressed), compression);
        assert.deepEqual(await bytesOf(await decompress(Readable.from([compressed]))), bytes);
      }
    });
  }

  test('gzip does not depend on how the input was cut', async () => {
    const pieces = Array.from({ length: 100 }, (_, n) => content.subarray(n * 22_000, (n + 1) * 22_000));
    const cut = await bytesOf(Readable.from(pieces).pipe(createCompressor('gzip')));
    const whole = await bytesOf(Readable.from([content]).pipe(createCompressor('gzip')));
    assert.deepEqual(cut, whole);
    assert.deepEqual(gunzipSync(whole), content);
    assert.ok(whole.length < gzipSync(content).length * 1.01);
  });

  test('gzip stores what does not shrink, and deflates what comes after it', async () => {
    const mixed = Buffer.concat([randomBytes(1 << 20), Buffer.alloc(1 << 20), randomBytes(1 << 20)]);
    const packed = await bytesOf(Readable.from([mixed]).pipe(createCompressor('gzip', 1)));
    assert.deepEqual(gunzipSync(packed), mixed);
    assert.ok(packed.length < (2 << 20) * 1.005, `${packed.length} bytes`);
  });

  test('what is not compressed comes as it is', async () => {
    assert.deepEqual(
      await bytesOf(await decompress(Readable.from([Buffer.from('ab'), Buffer.from('cd')]))),
      Buffer.from('abcd'),
    );
    assert.deepEqual(await bytesOf(await decompress(Readable.from([]))), Buffer.alloc(0));
  });

  test('bad data is invalid', async () => {
    const cut = (bytes: Buffer) => bytes.subarray(0, bytes.length / 2);
    for (const bytes of [
      cut(gzipSync(content)),
      cut(zstdCompressSync(content)),
      Buffer.from('1f8b0800ffff', 'hex'),
    ]) {
      await assert.rejects(bytesOf(await decompress(Readable.from([bytes]))), { kind: 'invalid' });
    }
  });

  test("errors of the source are the source's", async () => {
    const failing = Readable.from(
      (async function* () {
        yield gzipSync(content).subarray(0, 100);
        throw new Error('connection lost');
      })(),
    );
    await assert.rejects(bytesOf(await decompress(failing)), /connection lost/);
  });

  for (const [name, path] of [
    ['bzip2', '/bin/bzip2'],
    ['xz', '/usr/bin/xz'],
  ] as const) {
    test(`${name} through the host's program`, { skip: !existsSync(path) }, async () => {
      const compressed = execFileSync(path, ['-c'], { input: content });
      assert.deepEqual(await bytesOf(await decompress(Readable.from([compressed]))), content);
      await assert.rejects(bytesOf(await decompress(Readable.from([compressed.subarray(0, 1000)]))), {
        kind: 'invalid',
      });
    });
  }
});
