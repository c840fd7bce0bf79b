import assert from 'node:assert/strict';
import test from 'node:test';
import { binarySize, goTimestamp, humanSize, parseBytes } from './units.ts';

test('sizes as docker prints them', () => {
  assert.equal(humanSize(0, 3), '0B');
  assert.equal(humanSize(1_984_000, 3), '1.98MB');
  assert.equal(humanSize(1_984_000), '1.984MB');
  assert.equal(humanSize(999), '999B');
  assert.equal(humanSize(1_000_000, 3), '1MB');
  assert.equal(humanSize(999_999, 3), '1e+03kB');
  assert.equal(binarySize(380_928), '372KiB');
  assert.equal(binarySize(25_276_000_000), '23.54GiB');
});

test('sizes as flags take them', () => {
  assert.equal(parseBytes('64m'), 64 * 1024 ** 2);
  assert.equal(parseBytes('-1'), -1);
  assert.ok(Number.isNaN(parseBytes('10x')));
});

test('times as Go prints them', () => {
  assert.equal(goTimestamp('2026-11-21T06:01:39.318776021Z'), '2026-11-21 06:01:39.318776021 +0000 UTC');
});
