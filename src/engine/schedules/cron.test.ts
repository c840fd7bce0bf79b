import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dueTimesOf } from './cron.ts';

/** The next due times after an instant. */
function next(cron: string, timeZone: string, after: string, count: number): string[] {
  const due = dueTimesOf({ cron, timeZone });
  const times: string[] = [];
  for (let ms: number | undefined = Date.parse(after); times.length < count; ) {
    ms = due.next(ms);
    if (ms === undefined) break;
    times.push(new Date(ms).toISOString().replace(':00.000Z', 'Z'));
  }
  return times;
}

describe('due times', () => {
  test('five fields, six fields and names', () => {
    const after = '2026-11-21T12:00:30Z';
    assert.deepEqual(next('*/20 * * * *', 'UTC', after, 2), ['2026-11-21T12:20Z', '2026-11-21T12:40Z']);
    assert.deepEqual(next('*/45 * * * * *', 'UTC', after, 2), [
      '2026-11-21T12:00:45.000Z',
      '2026-11-21T12:01Z',
    ]);
    assert.deepEqual(next(' @daily ', 'Europe/Berlin', after, 1), ['2026-11-21T23:00Z']);
    assert.deepEqual(next('0 3 * * MON-FRI', 'UTC', after, 1), ['2026-11-23T03:00Z']);
    assert.deepEqual(next('0 0 31 2 *', 'UTC', after, 1), []);
  });

  test('an instant that is due is not after itself, and is the last up to itself', () => {
    const due = dueTimesOf({ cron: '0 3 * * *', timeZone: 'UTC' });
    const threeMs = Date.parse('2026-11-21T03:00:00Z');
    assert.equal(due.next(threeMs - 1), threeMs);
    assert.equal(due.next(threeMs), threeMs + 86_400_000);
    assert.equal(due.last(threeMs), threeMs);
    assert.equal(due.last(threeMs - 1), threeMs - 86_400_000);
  });

  test('clocks put forward: 02:30 does not exist, and comes due after the gap', () => {
    const after = '2026-03-28T12:00:00Z';
    assert.deepEqual(next('30 2 * * *', 'Europe/Berlin', after, 2), [
      '2026-03-29T01:00Z',
      '2026-03-30T00:30Z',
    ]);
    // A list of times of day is no different.
    assert.deepEqual(next('30 2,14 * * *', 'Europe/Berlin', after, 3), [
      '2026-03-28T13:30Z',
      '2026-03-29T01:00Z',
      '2026-03-29T12:30Z',
    ]);
    assert.deepEqual(next('30 * * * *', 'Europe/Berlin', '2026-03-29T00:00:00Z', 3), [
      '2026-03-29T00:30Z',
      '2026-03-29T01:30Z',
      '2026-03-29T02:30Z',
    ]);
  });

  test('clocks put back: 02:30 comes twice, and counts once; every hour goes on', () => {
    assert.deepEqual(next('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2), [
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
    ]);
    assert.deepEqual(next('30 * * * *', 'Europe/Berlin', '2026-10-25T00:00:00Z', 3), [
      '2026-10-25T00:30Z',
      '2026-10-25T01:30Z',
      '2026-10-25T02:30Z',
    ]);
  });

  test('what is no schedule is refused with the reason', () => {
    const refused: [cron: string, message: RegExp][] = [
      ['', /^invalid schedule "": want five fields/],
      ['* * * *', /want five fields, six with seconds in front/],
      ['0 0 1 1 * * 2030', /want five fields/],
      ['2030-01-01T00:00:00', /want five fields/],
      ['60 * * * *', /^invalid schedule "60 \* \* \* \*": Invalid value for minute: 60$/],
      ['@fortnightly', /^invalid schedule "@fortnightly": /],
      ['@reboot', /restart policy/],
      [`${'1,'.repeat(200)}1 * * * *`, /longer than 200 characters/],
    ];
    for (const [cron, message] of refused) {
      assert.throws(() => dueTimesOf({ cron, timeZone: '' }), { kind: 'invalid', message });
    }
    assert.throws(() => dueTimesOf({ cron: '@daily', timeZone: 'Mars/Base' }), {
      kind: 'invalid',
      message: 'unknown time zone "Mars/Base"',
    });
  });
});
