import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chainsToOpen, planNeighbours } from './neighbours.ts';

const forward = { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', policy: 'drop' };

test('chains that drop what is forwarded are opened, in DOCKER-USER when there is one', () => {
  const open = (...chains: object[]) =>
    chainsToOpen(
      chains.map(chain => ({ chain: { ...chain } })),
      'gantry',
    );
  assert.deepEqual(open(forward), [{ family: 'ip', table: 'filter', name: 'FORWARD' }]);
  assert.deepEqual(open(forward, { family: 'ip', table: 'filter', name: 'DOCKER-USER' }), [
    { family: 'ip', table: 'filter', name: 'DOCKER-USER' },
  ]);
  assert.deepEqual(open(forward, { family: 'ip6', table: 'filter', name: 'DOCKER-USER' }), [
    { family: 'ip', table: 'filter', name: 'FORWARD' },
  ]);
  assert.deepEqual(open({ ...forward, policy: 'accept' }, { ...forward, hook: 'input' }), []);
  assert.deepEqual(open({ ...forward, family: 'inet', table: 'gantry' }), [], 'our own');
  assert.deepEqual(
    open({ family: 'inet', table: 'firewalld', name: 'filter_FORWARD', hook: 'forward', policy: 'accept' }),
    [{ family: 'inet', table: 'firewalld', name: 'filter_FORWARD' }],
  );
});

test('missing rules are put in, old ones taken out, all others left alone', () => {
  const rules = [
    { handle: 4, comment: 'gantry', match: 'iifname "br-a"' },
    { handle: 5, comment: 'gantry', match: 'iifname "br-gone"' },
    { handle: 6, comment: undefined, match: 'iifname "br-a"' },
  ];
  assert.deepEqual(
    planNeighbours([{ family: 'ip', table: 'filter', name: 'FORWARD', rules }], ['br-a'], 'gantry'),
    [
      'insert rule ip filter FORWARD oifname "br-a" counter accept comment "gantry"',
      'delete rule ip filter FORWARD handle 5',
    ],
  );
});
