import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outputSince } from './follow-logs.ts';

test('the output of a life begins between the end before it and its start', () => {
  const cases: [finishedAt: string, startedAt: string, since: string][] = [
    ['2026-01-02T03:04:05.1Z', '2026-01-02T03:04:05.300000002Z', '1767323045.200000001'],
    // Lives that nobody looked at may lie between.
    ['2026-01-02T03:04:05Z', '2026-01-02T04:04:05Z', '1767323046.000000000'],
    // The clock was set back.
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:04.000000001Z', '1767323044.000000001'],
    // It has never ended.
    ['0001-01-01T00:00:00Z', '2026-01-02T03:04:05Z', '1767323045.000000000'],
  ];
  for (const [finishedAt, startedAt, since] of cases) assert.equal(outputSince(finishedAt, startedAt), since);
});
