import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSubnet } from '../stdx/ip.ts';
import {
  type BridgeAddresses,
  isMissingBridge,
  missingBridge,
  planDefaultBridge,
} from './default-networks.ts';
import { defaultPools } from './ipam/pools.ts';
import type { Network } from './network.ts';

function plan(
  addresses: BridgeAddresses,
  { before, inUse = false, host = [] }: { before?: Network; inUse?: boolean; host?: string[] } = {},
): Network {
  return planDefaultBridge(
    {
      addresses,
      bridgeName: 'gantry0',
      interContainer: true,
      masquerade: true,
      hostBindingIpv4: '0.0.0.0',
      pools: defaultPools,
    },
    before,
    inUse,
    { networks: [], host: host.map(text => parseSubnet(text)!), nowMs: 0 },
  );
}

const poolsOf = (network: Network) => network.ipam.pools;

test('the default bridge takes the first subnet that is free, and keeps it', () => {
  const first = plan({}, { host: ['172.17.0.0/16'] });
  assert.deepEqual(poolsOf(first), [{ subnet: '172.18.0.0/16', gateway: '172.18.0.1' }]);
  assert.deepEqual(poolsOf(plan({}, { before: first })), poolsOf(first));
  assert.equal(poolsOf(plan({}, { before: first, host: ['172.18.1.0/24'] }))[0]!.subnet, '172.17.0.0/16');
  const kept = plan({ bip: '10.9.0.1/24', ipv6: true }, { before: first, inUse: true });
  assert.deepEqual(
    [poolsOf(kept), kept.enableIPv6, kept.id],
    [poolsOf(first), false, first.id],
    'containers are on it',
  );
});

test('addresses of the default bridge that were asked for', () => {
  assert.deepEqual(
    poolsOf(
      plan({
        bip: '10.9.0.5/16',
        fixedCidr: '10.9.128.0/24',
        defaultGateway: '10.9.0.9',
        ipv6: true,
        bip6: 'fd00:9::5/64',
        defaultGateway6: 'fd00:9::9',
      }),
    ),
    [
      {
        subnet: '10.9.0.0/16',
        gateway: '10.9.0.5',
        ipRange: '10.9.128.0/24',
        auxAddresses: { DefaultGatewayIPv4: '10.9.0.9' },
      },
      {
        subnet: 'fd00:9::/64',
        gateway: 'fd00:9::5',
        auxAddresses: { DefaultGatewayIPv6: 'fd00:9::9' },
      },
    ],
  );
  assert.deepEqual(poolsOf(plan({ fixedCidr: '10.9.0.0/24' })), [
    { subnet: '10.9.0.0/24', gateway: '10.9.0.1', ipRange: '10.9.0.0/24' },
  ]);
  assert.deepEqual(poolsOf(plan({ ipv6: true, fixedCidr6: 'fd00:7::/80' }))[1], {
    subnet: 'fd00:7::/80',
    gateway: 'fd00:7::1',
    ipRange: 'fd00:7::/80',
  });
});

test('IPv6 on the default bridge comes and goes with the setting, IPv4 stays', () => {
  const before = plan({}, { host: ['172.17.0.0/16'] });
  const after = plan({ ipv6: true }, { before });
  assert.equal(after.enableIPv6, true);
  assert.deepEqual(poolsOf(after)[0], poolsOf(before)[0]);
  assert.match(poolsOf(after)[1]!.subnet, /^fd[0-9a-f:]+\/64$/);
  assert.deepEqual(poolsOf(plan({ ipv6: true }, { before: after })), poolsOf(after));
  assert.deepEqual(poolsOf(plan({}, { before: after })), poolsOf(before));
  assert.deepEqual(poolsOf(plan({}, { before: plan({ bip: '10.9.0.1/24' }) }))[0]!.subnet, '172.17.0.0/16');
});

test('settings that are no addresses are refused by name', () => {
  for (const addresses of [
    { bip: '10.9.0.0/16' },
    { bip: 'fd00::1/64' },
    { ipv6: true, bip6: '10.9.0.1/24' },
    { fixedCidr: 'fd00::/64' },
    { bip6: 'fd00::1/64' },
    { ipv6: true, defaultGateway6: 'fd00::1' },
    { bip: '10.9.0.1/24', fixedCidr: '10.8.0.0/24' },
    { bip: '10.9.0.1/24', defaultGateway: '10.8.0.1' },
  ]) {
    assert.throws(() => plan(addresses), { kind: 'invalid' }, JSON.stringify(addresses));
  }
});

test('without a default bridge its name and id stay, and a later one has them', () => {
  const before = plan({});
  const missing = missingBridge(before, 1);
  assert.deepEqual(
    [missing.id, missing.createdAtMs, missing.bridge, missing.ipam.pools],
    [before.id, 0, undefined, []],
  );
  assert.deepEqual([isMissingBridge(missing), isMissingBridge(before)], [true, false]);
  for (const inUse of [false, true]) assert.deepEqual(plan({}, { before: missing, inUse }), before);
});
