import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLogLines } from './log-format.ts';

test('whole and partial records, and the beginning of one', () => {
  const data = Buffer.from(
    '2026-11-21T05:12:33.123456789+00:00 stdout F hello world\n' +
      '2026-11-21T05:12:33.123456790+00:00 stderr P part\n' +
      '2026-11-21T07:12:33.5+02:00 stderr F \n' +
      'garbage\n' +
      '2026-11-21T05:12:33',
  );
  const { entries, rest } = parseLogLines(data);
  assert.deepEqual(
    entries.map(({ stream, timeNs, text }) => [stream, timeNs, text.toString()]),
    [
      ['stdout', 1795237953123456789n, 'hello world\n'],
      ['stderr', 1795237953123456790n, 'part'],
      ['stderr', 1795237953500000000n, '\n'],
    ],
  );
  assert.equal(rest.toString(), '2026-11-21T05:12:33');
});
