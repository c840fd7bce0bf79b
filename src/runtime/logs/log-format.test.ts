import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogRecords, parseLogRecords } from './log-format.ts';

const data = Buffer.from(
  '2026-11-21T05:12:33.123456789+00:00 stdout F hello world\n' +
    '2026-11-21T05:12:33.123456790+00:00 stderr P part\n' +
    '2026-11-21T07:12:33.5+02:00 stderr F \n' +
    'garbage\n' +
    '2026-11-21T05:12:33',
);

function shown(records: LogRecords): [string, bigint, string, boolean][] {
  return Array.from({ length: records.length }, (_, index) => [
    records.stream(index),
    records.timeNs(index),
    records.text(index).toString(),
    records.endsLine(index),
  ]);
}

test('whole and partial records, and the beginning of one', () => {
  const { records, sizeBytes } = parseLogRecords(data);
  assert.deepEqual(shown(records), [
    ['stdout', 1795237953123456789n, 'hello world\n', true],
    ['stderr', 1795237953123456790n, 'part', false],
    ['stderr', 1795237953500000000n, '\n', true],
  ]);
  assert.equal(data.subarray(sizeBytes).toString(), '2026-11-21T05:12:33');
});

test('a filter leaves the others where they are', () => {
  const { records } = parseLogRecords(data);
  const kept = records.filter(index => records.endsLine(index));
  assert.deepEqual(
    shown(kept).map(([, , text]) => text),
    ['hello world\n', '\n'],
  );
});
