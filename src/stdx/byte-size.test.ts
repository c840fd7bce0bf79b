import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteSizeOf, parseByteSize } from './byte-size.ts';

test('sizes in the notation of go-units', () => {
  const sizes: [string, number][] = [
    ['64m', 64 * 1024 ** 2],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['512 kb', 512 * 1024],
    ['10', 10],
    ['10b', 10],
    ['.5k', 512],
    ['0.0005k', 0],
    ['2P', 2 * 1024 ** 5],
  ];
  for (const [text, bytes] of sizes) assert.equal(parseByteSize(text), bytes, text);
});

test('what is no size', () => {
  for (const wrong of ['', 'x', '10x', '10ib', '10bb', '-5', '1e3', ' 5']) {
    assert.equal(byteSizeOf(wrong), undefined, wrong);
    assert.throws(() => parseByteSize(wrong), { kind: 'invalid', message: `invalid size: '${wrong}'` });
  }
});
