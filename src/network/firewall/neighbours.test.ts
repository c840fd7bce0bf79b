import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planNeighbours, planOpenings } from './neighbours.ts';

const forward = { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', policy: 'drop' };

function openings(...chains: object[]): Record<string, string> {
  const planned = planOpenings(
    chains.map(chain => ({ chain: { ...chain } })),
    'gantry',
  );
  return Object.fromEntries(planned.map(({ name, matches }) => [name, matches.join(' ')]));
}

test('chains that drop what is forwarded are opened, in DOCKER-USER when there is one', () => {
  const user = { family: 'ip', table: 'filter', name: 'DOCKER-USER' };
  assert.deepEqual(openings(forward), { FORWARD: 'iifname oifname' });
  assert.deepEqual(openings(forward, user), { FORWARD: '', 'DOCKER-USER': 'iifname oifname' });
  assert.deepEqual(openings(forward, { ...user, family: 'ip6' }), {
    FORWARD: 'iifname oifname',
    'DOCKER-USER': '',
  });
  assert.deepEqual(openings({ ...forward, family: 'inet', table: 'gantry' }), {}, 'our own');
});

test('those that drop no more are only looked through', () => {
  assert.deepEqual(openings({ ...forward, policy: 'accept' }), { FORWARD: '' });
  assert.deepEqual(openings({ ...forward, hook: 'input' }), {});
});

test('firewalld lets containers reach the host, as it does with Docker', () => {
  const firewalld = { family: 'inet', table: 'firewalld', policy: 'accept' };
  assert.deepEqual(
    openings(
      { ...firewalld, name: 'filter_FORWARD', hook: 'forward' },
      { ...firewalld, name: 'filter_INPUT', hook: 'input' },
    ),
    { filter_FORWARD: 'iifname oifname', filter_INPUT: 'iifname' },
  );
});

test('missing rules are put in, old ones taken out, all others left alone', () => {
  const rules = [
    { handle: 4, comment: 'gantry', match: 'iifname "br-a"' },
    { handle: 5, comment: 'gantry', match: 'iifname "br-gone"' },
    { handle: 6, comment: undefined, match: 'iifname "br-a"' },
  ];
  assert.deepEqual(
    planNeighbours([{ ...forward, matches: ['iifname', 'oifname'], rules }], ['br-a'], 'gantry'),
    [
      'insert rule ip filter FORWARD oifname "br-a" counter accept comment "gantry"',
      'delete rule ip filter FORWARD handle 5',
    ],
  );
});

test('where nothing is wanted, what we put in once is taken out', () => {
  const rules = [{ handle: 4, comment: 'gantry', match: 'iifname "br-a"' }];
  assert.deepEqual(planNeighbours([{ ...forward, matches: [], rules }], ['br-a'], 'gantry'), [
    'delete rule ip filter FORWARD handle 4',
  ]);
});
