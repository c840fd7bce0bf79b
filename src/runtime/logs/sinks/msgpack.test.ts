import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventTime, pack } from './msgpack.ts';

const hex = (value: Parameters<typeof pack>[0]) => pack(value).toString('hex');

test('lengths choose the form', () => {
  assert.equal(hex('abc'), 'a3616263');
  assert.equal(hex('x'.repeat(40)).slice(0, 4), 'd928');
  assert.equal(hex('x'.repeat(300)).slice(0, 6), 'da012c');
  assert.equal(hex('x'.repeat(70_000)).slice(0, 10), 'db00011170');
  assert.equal(hex([1, 2]), '920102');
  assert.equal(hex({ a: 'b' }), '81a161a162');
  assert.equal(hex(Object.fromEntries(Array.from({ length: 16 }, (_, n) => [n, n]))).slice(0, 6), 'de0010');
});

test('times', () => {
  assert.equal(hex(1_700_000_000), 'd3000000006553f100');
  assert.equal(hex(new EventTime(1_700_000_000_000_000_005n)), 'd7006553f10000000005');
});
