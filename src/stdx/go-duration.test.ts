import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatGoDuration, goDurationOf, parseGoDuration } from './go-duration.ts';

test('durations in the notation of Go', () => {
  const durations: [string, number][] = [
    ['1h30m', 5400e9],
    ['-1.5s', -1.5e9],
    ['+100ms', 1e8],
    ['.5us', 500],
    ['1.s', 1e9],
    ['0', 0],
    ['3µs', 3000],
  ];
  for (const [text, ns] of durations) assert.equal(parseGoDuration(text), ns, text);
});

test('what is no duration is refused in the words of Go', () => {
  assert.throws(() => parseGoDuration('5'), {
    kind: 'invalid',
    message: 'time: missing unit in duration "5"',
  });
  for (const wrong of ['', '-', 's', '1x', '1h 5m', '1e3s', '.s', '1000000000000h']) {
    assert.equal(goDurationOf(wrong), undefined, wrong);
    assert.throws(() => parseGoDuration(wrong), { message: `time: invalid duration "${wrong}"` });
  }
});

test('what is written is read as the same', () => {
  assert.equal(formatGoDuration(0), '0s');
  assert.equal(formatGoDuration(3600e9), '1h0m0s');
  assert.equal(formatGoDuration(90e9), '1m30s');
  assert.equal(formatGoDuration(1.5e6), '1.5ms');
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 45), max: 2 ** 45 }), ns => {
      assert.equal(parseGoDuration(formatGoDuration(ns)), ns);
    }),
  );
});
