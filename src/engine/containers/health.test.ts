import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HealthState } from './container.ts';
import { healthAfter, planHealth } from './health.ts';

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
