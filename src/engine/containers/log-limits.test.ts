import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLogLimits } from './log-limits.ts';

test('limits of a log: those of the local driver unless given', () => {
  assert.deepEqual(parseLogLimits({}), { maxSizeBytes: 20_000_000, maxFiles: 5, compress: true });
  assert.deepEqual(parseLogLimits({ 'max-size': '1m', 'max-file': '2', compress: 'false' }), {
    maxSizeBytes: 1 << 20,
    maxFiles: 2,
    compress: false,
  });
});

for (const [options, message] of [
  [{ nosuch: '1' }, /^unknown log opt 'nosuch' for log driver local$/],
  [
    { 'max-size': 'bogus' },
    /^failed to initialize logging driver: invalid value for max-size: bogus: invalid size: 'bogus'$/,
  ],
  [{ 'max-file': '0' }, /invalid value for max-file: 0: /],
  [{ 'max-file': '1.5' }, /invalid value for max-file: 1.5: /],
  [{ compress: 'yes' }, /invalid value for compress: yes: /],
] as [Record<string, string>, RegExp][]) {
  test(`limits of a log: ${JSON.stringify(options)} is refused`, () => {
    assert.throws(() => parseLogLimits(options), { kind: 'invalid', message });
  });
}
