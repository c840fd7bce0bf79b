import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HealthState } from './container.ts';
import {
  hasFailed,
  healthAfter,
  healthAtStart,
  planHealth,
  probeDelayMs,
  restartForHealthDelayMs,
} from './health-plan.ts';

const plan = planHealth({ Test: ['CMD-SHELL', 'true'], Retries: 2, StartPeriod: 5e9 }, ['/bin/sh', '-c'])!;
const fresh: HealthState = { status: 'starting', failingStreak: 0, log: [] };
const probe = (startMs: number, exitCode: number) => ({ startMs, endMs: startMs, exitCode, output: '' });

test('defaults are Docker’s', () => {
  assert.deepEqual(planHealth({ Test: ['CMD', 'x'] }, ['/bin/sh', '-c']), {
    command: ['x'],
    intervalMs: 30_000,
    timeoutMs: 30_000,
    startPeriodMs: 0,
    startIntervalMs: 5_000,
    retries: 3,
  });
  assert.deepEqual(plan.command, ['/bin/sh', '-c', 'true']);
  assert.equal(planHealth({ Test: ['NONE'] }, []), undefined);
  assert.equal(planHealth(undefined, []), undefined);
  assert.equal(planHealth({ Test: ['BOGUS', 'x'] }, []), undefined);
  assert.equal(planHealth({ Test: ['CMD'] }, []), undefined);
  assert.deepEqual(planHealth({ Test: ['CMD-SHELL', 'echo $0', 'a'] }, ['sh', '-c'])!.command, [
    'sh',
    '-c',
    'echo $0',
    'a',
  ]);
});

test('failures in the start period do not count', () => {
  const after = healthAfter(fresh, probe(1_000, 1), plan, 0);
  assert.equal(after.status, 'starting');
  assert.equal(after.failingStreak, 0);
});

test('after it, as many failures as retries make it unhealthy, one success healthy', () => {
  let health = healthAfter(fresh, probe(6_000, 1), plan, 0);
  assert.equal(health.status, 'starting');
  health = healthAfter(health, probe(7_000, -1), plan, 0);
  assert.deepEqual([health.status, health.failingStreak], ['unhealthy', 2]);
  health = healthAfter(health, probe(8_000, 0), plan, 0);
  assert.deepEqual([health.status, health.failingStreak], ['healthy', 0]);
});

test('five results are kept', () => {
  let health = fresh;
  for (let at = 0; at < 8; at++) health = healthAfter(health, probe(at, 0), plan, 0);
  assert.deepEqual(
    health.log.map(entry => entry.startMs),
    [3, 4, 5, 6, 7],
  );
});

test('in the start period the start interval counts, until a check has passed', () => {
  const quick = planHealth({ Test: ['CMD', 'x'], StartPeriod: 60e9, StartInterval: 2e9 }, [])!;
  assert.equal(probeDelayMs(quick, fresh, 1_000), 2_000);
  assert.equal(probeDelayMs(quick, fresh, 60_000), 30_000);
  assert.equal(probeDelayMs(quick, { ...fresh, status: 'healthy' }, 1_000), 30_000);
  const frequent = planHealth({ Test: ['CMD', 'x'], StartPeriod: 60e9, Interval: 1e9 }, [])!;
  assert.equal(probeDelayMs(frequent, fresh, 1_000), 1_000);
});

test('a new run keeps the results and counts from nothing', () => {
  const log = [probe(1, 1)];
  assert.deepEqual(healthAtStart({ status: 'unhealthy', failingStreak: 4, log, restartDelayMs: 200 }), {
    status: 'starting',
    failingStreak: 0,
    log,
    restartDelayMs: 200,
  });
  assert.deepEqual(healthAtStart(undefined), fresh);
});

test('restarts for health wait twice as long each time, until a check passes', () => {
  assert.deepEqual([0, 100, 200, 51_200].map(restartForHealthDelayMs), [100, 200, 400, 60_000]);
  const failing = healthAfter({ ...fresh, restartDelayMs: 400 }, probe(6_000, 1), plan, 0);
  assert.equal(failing.restartDelayMs, 400);
  assert.equal(healthAfter(failing, probe(7_000, 0), plan, 0).restartDelayMs, undefined);
});

test('failed is who failed as often as allowed, not who is merely not checked', () => {
  assert.equal(hasFailed({ status: 'unhealthy', failingStreak: 0, log: [] }, plan), false);
  assert.equal(hasFailed({ status: 'unhealthy', failingStreak: 2, log: [] }, plan), true);
});
