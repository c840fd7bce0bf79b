import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restartDelayMs, startsWithDaemon } from './restart-policy.ts';

const facts = {
  exitCode: 1,
  ranForMs: 50,
  restartCount: 0,
  manuallyStopped: false,
  cancelled: false,
  previousDelayMs: 0,
};
const always = { name: 'always', maximumRetryCount: 0 } as const;

test('the delay begins at 100 ms, doubles at quick exits, ends at a minute, and is reset by a long run', () => {
  assert.equal(restartDelayMs(always, facts), 100);
  assert.equal(restartDelayMs(always, { ...facts, previousDelayMs: 100 }), 200);
  assert.equal(restartDelayMs(always, { ...facts, previousDelayMs: 51_200 }), 60_000);
  assert.equal(restartDelayMs(always, { ...facts, previousDelayMs: 51_200, ranForMs: 10_000 }), 100);
});

test('no policy restarts what the user stopped', () => {
  assert.equal(restartDelayMs(always, { ...facts, manuallyStopped: true, cancelled: true }), undefined);
});

test('a signal that was not meant to stop it matters to unless-stopped only', () => {
  const signalled = { ...facts, manuallyStopped: true };
  assert.equal(restartDelayMs(always, signalled), 100);
  assert.equal(restartDelayMs({ ...always, name: 'unless-stopped' }, signalled), undefined);
});

test('on-failure: not after success, and not more often than asked', () => {
  const policy = { name: 'on-failure', maximumRetryCount: 2 } as const;
  assert.equal(restartDelayMs(policy, { ...facts, exitCode: 0 }), undefined);
  assert.equal(restartDelayMs(policy, { ...facts, restartCount: 1 }), 100);
  assert.equal(restartDelayMs(policy, { ...facts, restartCount: 2 }), undefined);
});

test('with the daemon: always starts, unless-stopped only what nobody stopped', () => {
  const was = { wasRunning: false, manuallyStopped: true, exitCode: 0, restartCount: 0 };
  assert.equal(startsWithDaemon(always, was), true);
  assert.equal(startsWithDaemon({ ...always, name: 'unless-stopped' }, was), false);
  assert.equal(
    startsWithDaemon({ ...always, name: 'unless-stopped' }, { ...was, manuallyStopped: false }),
    true,
  );
  assert.equal(startsWithDaemon({ ...always, name: 'no' }, { ...was, manuallyStopped: false }), false);
});
