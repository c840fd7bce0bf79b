import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { EngineError } from '../../stdx/errors.ts';
import type { ContainerStatsSample } from '../engine.ts';
import { StatsSampler } from './stats-sampler.ts';

/** A sampler whose samples tell how many were taken. */
function counting(): { sampler: StatsSampler; taken: () => number; remove: () => void } {
  let count = 0;
  let removed = false;
  const sampler = new StatsSampler(id => {
    if (removed) throw new EngineError('notFound', `No such container: ${id}`);
    return { id, readMs: ++count } as ContainerStatsSample;
  });
  return { sampler, taken: () => count, remove: () => (removed = true) };
}

test('however many follow, it reads once a second, and not at all when they are gone', async () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const { sampler, taken } = counting();
    const leaving = new AbortController();
    const followers = [1, 2, 3].map(() => sampler.follow('web', leaving.signal));
    const next = async () =>
      (await Promise.all(followers.map(one => one.next()))).map(({ value }) => value?.readMs);
    const tick = async () => {
      const answers = next();
      await turn();
      mock.timers.tick(1000);
      return answers;
    };
    assert.deepEqual(await next(), [1, 1, 1]);
    assert.deepEqual(await tick(), [2, 2, 2]);
    assert.equal(sampler.newest('web').readMs, 2);
    assert.deepEqual(await tick(), [3, 3, 3]);
    mock.timers.tick(5000);
    assert.equal(taken(), 8);
    const late = sampler.follow('web', leaving.signal);
    assert.equal((await late.next()).value?.readMs, 8);
    await late.return(undefined);
    const ends = followers.map(one => assert.rejects(one.next(), { name: 'AbortError' }));
    await turn();
    leaving.abort();
    await Promise.all(ends);
    mock.timers.tick(5000);
    assert.equal(taken(), 8);
    assert.equal(sampler.newest('web').readMs, 9);
  } finally {
    mock.timers.reset();
  }
});

test('who follows hears that the container is gone, now or when it next asks', async () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const { sampler, remove } = counting();
    const { signal } = new AbortController();
    const [quick, slow] = [sampler.follow('web', signal), sampler.follow('web', signal)];
    await Promise.all([quick.next(), slow.next()]);
    remove();
    const hears = async (follower: typeof quick) => {
      const ends = assert.rejects(follower.next(), { kind: 'notFound' });
      await turn();
      mock.timers.tick(1000);
      await ends;
    };
    await hears(quick);
    await hears(slow);
    await assert.rejects(sampler.follow('web', signal).next(), { kind: 'notFound' });
  } finally {
    mock.timers.reset();
  }
});
