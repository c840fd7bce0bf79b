import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configNetwork, withConfiguration } from './config-networks.ts';

const source = configNetwork(
  {
    name: 'lan',
    configOnly: true,
    enableIPv6: true,
    ipam: { pools: [{ subnet: '10.1.0.0/16', gateway: '10.1.0.9' }] },
    options: { parent: 'eth0' },
    labels: { site: 'north' },
  },
  'a'.repeat(64),
  0,
);

test('a configuration is shown as it was given', () => {
  assert.equal(source.driver, 'null');
  assert.deepEqual(source.ipam.pools, [{ subnet: '10.1.0.0/16', gateway: '10.1.0.9' }]);
  assert.deepEqual(source.options, { parent: 'eth0' });
  const bad = { name: 'bad', configOnly: true, ipam: { pools: [{ subnet: '10.1.0.0/33' }] } };
  assert.throws(() => configNetwork(bad, 'b'.repeat(64), 0), /invalid subnet 10\.1\.0\.0\/33/);
});

test('a network takes all of its configuration from another, or none', () => {
  const made = withConfiguration({ name: 'mine', driver: 'macvlan', configFrom: 'lan' }, [source]);
  const { driver, name, options, labels, enableIPv6, ipam } = made;
  assert.deepEqual(
    [driver, name, options, labels, enableIPv6],
    ['macvlan', 'mine', { parent: 'eth0' }, { site: 'north' }, true],
  );
  assert.deepEqual(ipam?.pools, source.ipam.pools);
  for (const [request, words] of [
    [{ configFrom: 'nosuch' }, 'configuration network "nosuch" does not exist'],
    [{ configFrom: 'lan', configOnly: true }, 'cannot depend on another'],
    [{ configFrom: 'lan', labels: { a: 'b' } }, 'user specified configurations are not supported'],
    [{ configFrom: 'lan', ipam: { pools: [{ subnet: '10.2.0.0/16' }] } }, 'user specified configurations'],
  ] as const) {
    assert.throws(
      () =>
        withConfiguration({ name: 'mine', ...request } as Parameters<typeof withConfiguration>[0], [source]),
      new RegExp(words),
    );
  }
});
