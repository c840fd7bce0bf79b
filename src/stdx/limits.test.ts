import assert from 'node:assert/strict';
import test from 'node:test';
import { Semaphore } from './limits.ts';

test('a semaphore lets as many run as it is told, also while they run', async () => {
  const semaphore = new Semaphore(1);
  const ends: (() => void)[] = [];
  const jobs = [0, 1, 2, 3].map(() => semaphore.run(() => new Promise<void>(end => ends.push(end))));
  const turn = () => new Promise(setImmediate);
  await turn();
  assert.equal(ends.length, 1);
  semaphore.resize(3);
  await turn();
  assert.equal(ends.length, 3);
  semaphore.resize(1);
  ends[0]!();
  await turn();
  ends[1]!();
  await turn();
  assert.equal(ends.length, 3, 'one still runs, and one is the limit');
  ends[2]!();
  await turn();
  assert.equal(ends.length, 4);
  ends[3]!();
  await Promise.all(jobs);
});
