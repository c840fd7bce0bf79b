import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanDuration } from './human-duration.ts';

test('durations are words', () => {
  const second = 1000;
  const cases: [number, string][] = [
    [900, 'Less than a second'],
    [second, '1 second'],
    [59 * second, '59 seconds'],
    [60 * second, 'About a minute'],
    [120 * second, '2 minutes'],
    [50 * 60 * second, '50 minutes'],
    [3600 * second, 'About an hour'],
    [47 * 3600 * second, '47 hours'],
    [48 * 3600 * second, '2 days'],
    [14 * 86400 * second, '2 weeks'],
    [60 * 86400 * second, '2 months'],
    [730 * 86400 * second, '2 years'],
  ];
  for (const [ms, words] of cases) assert.equal(humanDuration(ms), words);
});
