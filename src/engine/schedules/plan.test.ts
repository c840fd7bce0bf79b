import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { dueTimesOf } from './cron.ts';
import { type DuePlan, planDue } from './plan.ts';

const hourMs = 3_600_000;

interface Case {
  cron: string;
  now: string;
  through: string;
  catchUp?: boolean;
  timeZone?: string;
}

function plan({ cron, now, through, catchUp = false, timeZone = 'UTC' }: Case): string {
  const times = { nowMs: Date.parse(now), throughMs: Date.parse(through), catchUp };
  return show(planDue(times, dueTimesOf({ cron, timeZone })));
}

/** `run 21 03:00 | missed 2: 19 03:00 - 20 03:00 | through 21 03:00 | next 22 03:00`, in UTC. */
function show({ run, missed, throughMs, nextMs }: DuePlan): string {
  const time = (ms: number | undefined) =>
    ms === undefined
      ? 'never'
      : new Date(ms).toISOString().slice(8, 19).replace('T', ' ').replace(/:00$/, '');
  return [
    ...(run === undefined ? [] : [`${run.trigger === 'due' ? 'run' : 'catch up'} ${time(run.dueMs)}`]),
    ...(missed === undefined
      ? []
      : [
          `missed ${missed.times}${missed.more ? '+' : ''}: ${time(missed.firstMs)} - ${time(missed.lastMs)}`,
        ]),
    `through ${time(throughMs)}`,
    `next ${time(nextMs)}`,
  ].join(' | ');
}

describe('what is due', () => {
  const nightly = { cron: '0 3 * * *', through: '2026-11-20T03:00:00Z' };

  test('nothing before its time', () => {
    assert.equal(plan({ ...nightly, now: '2026-11-21T02:59:59.999Z' }), 'through 20 03:00 | next 21 03:00');
  });

  test('on time, and up to a minute later', () => {
    const expected = 'run 21 03:00 | through 21 03:00 | next 22 03:00';
    assert.equal(plan({ ...nightly, now: '2026-11-21T03:00:00Z' }), expected);
    assert.equal(plan({ ...nightly, now: '2026-11-21T03:01:00Z' }), expected);
  });

  test('later than that it was missed, unless it is to be caught up with', () => {
    const now = '2026-11-21T03:01:00.001Z';
    assert.equal(
      plan({ ...nightly, now }),
      'missed 1: 21 03:00 - 21 03:00 | through 21 03:00 | next 22 03:00',
    );
    assert.equal(
      plan({ ...nightly, now, catchUp: true }),
      'catch up 21 03:00 | through 21 03:00 | next 22 03:00',
    );
  });

  test('of many that were missed one is caught up with: the last', () => {
    const now = '2026-11-23T12:00:00Z';
    assert.equal(
      plan({ ...nightly, now, catchUp: true }),
      'catch up 23 03:00 | missed 2: 21 03:00 - 22 03:00 | through 23 03:00 | next 24 03:00',
    );
    assert.equal(
      plan({ ...nightly, now }),
      'missed 3: 21 03:00 - 23 03:00 | through 23 03:00 | next 24 03:00',
    );
  });

  test('the last of many runs when it is on time', () => {
    const every = { cron: '* * * * *', through: '2026-11-21T03:00:00Z' };
    assert.equal(
      plan({ ...every, now: '2026-11-21T03:03:30Z' }),
      'run 21 03:03 | missed 2: 21 03:01 - 21 03:02 | through 21 03:03 | next 21 03:04',
    );
  });

  test('a year of seconds is counted up to a hundred', () => {
    assert.equal(
      plan({ cron: '* * * * * *', through: '2025-11-21T03:00:00Z', now: '2026-11-21T03:00:00.500Z' }),
      'run 21 03:00 | missed 99+: 21 03:00:01 - 21 02:59:59 | through 21 03:00 | next 21 03:00:01',
    );
  });

  test('clocks put forward: the hour that is not there is neither missed nor run twice', () => {
    const berlin = { cron: '30 2 * * *', timeZone: 'Europe/Berlin', through: '2026-03-28T01:30:00Z' };
    assert.equal(
      plan({ ...berlin, now: '2026-03-29T01:00:05Z' }),
      'run 29 01:00 | through 29 01:00 | next 30 00:30',
    );
    assert.equal(
      plan({ ...berlin, through: '2026-03-29T01:00:00Z', now: '2026-03-29T01:30:00Z' }),
      'through 29 01:00 | next 30 00:30',
    );
  });

  test('clocks put back: the time that comes twice runs once', () => {
    const berlin = { cron: '30 2 * * *', timeZone: 'Europe/Berlin', through: '2026-10-24T00:30:00Z' };
    assert.equal(
      plan({ ...berlin, now: '2026-10-25T00:30:05Z' }),
      'run 25 00:30 | through 25 00:30 | next 26 01:30',
    );
    assert.equal(
      plan({ ...berlin, through: '2026-10-25T00:30:00Z', now: '2026-10-25T01:30:05Z' }),
      'through 25 00:30 | next 26 01:30',
    );
  });

  test('a clock set back does not repeat what is settled', () => {
    assert.equal(
      plan({ cron: '* * * * *', through: '2026-11-21T03:10:00Z', now: '2026-11-21T02:00:00Z' }),
      'through 21 03:10 | next 21 03:11',
    );
  });

  test('a clock set back by days was wrong: its times are forgotten', () => {
    assert.equal(
      plan({ cron: '* * * * *', through: '2030-01-01T00:00:00Z', now: '2026-11-21T02:00:00Z' }),
      'through 21 02:00 | next 21 02:01',
    );
  });

  test('what never comes again is not waited for', () => {
    assert.equal(
      plan({ cron: '0 0 31 2 *', through: '2026-11-21T00:00:00Z', now: '2026-11-22T00:00:00Z' }),
      'through 21 00:00 | next never',
    );
  });

  test('however the clock jumps by up to three hours, no time is run or missed twice', () => {
    const due = dueTimesOf({ cron: '*/7 * * * *', timeZone: 'Europe/Berlin' });
    const startMs = Date.parse('2026-10-24T22:00:00Z');
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -hourMs, max: hourMs }), { maxLength: 30 }), jumps => {
        let throughMs = startMs;
        let nowMs = startMs;
        let lastMs = startMs;
        for (const jump of jumps) {
          // Never more than three hours behind the latest it has shown.
          nowMs = Math.max(nowMs + jump, throughMs - 3 * hourMs);
          const { run, missed, throughMs: settledMs } = planDue({ nowMs, throughMs, catchUp: false }, due);
          const seen = [missed?.firstMs, missed?.lastMs, run?.dueMs].filter(ms => ms !== undefined);
          for (const ms of seen) {
            assert.ok(ms > throughMs && ms <= nowMs, 'is due, and was not before');
            assert.ok(ms >= lastMs);
            lastMs = ms;
          }
          assert.ok(settledMs >= throughMs);
          throughMs = settledMs;
        }
      }),
      { numRuns: 50 },
    );
  });
});
