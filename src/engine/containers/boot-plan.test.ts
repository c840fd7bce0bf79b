import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BootCandidate, planBoot } from './boot-plan.ts';

function candidate(id: string, modes: Partial<BootCandidate['hostConfig']> = {}): BootCandidate {
  return {
    id,
    name: `name-${id}`,
    hostConfig: { networkMode: '', pidMode: '', ipcMode: '', links: [], ...modes },
  };
}

test('whoever joins another one starts after it', () => {
  const inPid = candidate('c', { pidMode: 'container:b' });
  const inNetwork = candidate('b', { networkMode: 'container:a' });
  assert.deepEqual(planBoot([inPid, inNetwork, candidate('a'), candidate('x')]), [['a', 'x'], ['b'], ['c']]);
});

test('links count, by name, and what does not start with the daemon does not', () => {
  const linked = candidate('b', { links: ['name-a:db', 'elsewhere'], ipcMode: 'container:stopped' });
  assert.deepEqual(planBoot([linked, candidate('a')]), [['a'], ['b']]);
});

test('a circle is started all the same', () => {
  const one = candidate('a', { links: ['name-b'] });
  const two = candidate('b', { links: ['name-a'] });
  assert.deepEqual(planBoot([one, two, candidate('c')]), [['c'], ['a', 'b']]);
  assert.deepEqual(planBoot([]), []);
});
