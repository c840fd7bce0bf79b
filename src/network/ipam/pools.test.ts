import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSubnet, overlaps, parseSubnet, type Subnet } from '../../stdx/ip.ts';
import { chooseSubnet, defaultPools, namedGateway, type PoolRequest, planPools } from './pools.ts';

function plan(
  requests: PoolRequest[],
  options: { enableIPv6?: boolean; networks?: string[]; host?: string[] } = {},
) {
  return planPools(requests, {
    enableIPv6: options.enableIPv6 ?? false,
    networkId: '0123456789abcdef'.repeat(4),
    sources: defaultPools,
    networks: (options.networks ?? []).map(text => parseSubnet(text)!),
    host: (options.host ?? []).map(text => parseSubnet(text)!),
  });
}

test('the first default subnet that meets nothing is chosen', () => {
  assert.deepEqual(plan([]), [{ subnet: '172.17.0.0/16', gateway: '172.17.0.1' }]);
  assert.deepEqual(plan([{}], { networks: ['172.17.0.0/16'], host: ['172.18.4.0/24'] }), [
    { subnet: '172.19.0.0/16', gateway: '172.19.0.1' },
  ]);
  // A route that covers all of 172.16.0.0/12, as VPNs push it.
  assert.deepEqual(plan([], { host: ['172.16.0.0/12'] })[0]!.subnet, '192.168.0.0/20');
});

test('31 networks have the subnets Docker gives, and many more have one too', () => {
  const networks: Subnet[] = [];
  for (let count = 0; count < 300; count++) {
    networks.push(chooseSubnet({ sources: defaultPools, networks, host: [] }));
  }
  assert.equal(formatSubnet(networks[30]!), '192.168.240.0/20');
  assert.equal(formatSubnet(networks[31]!), '10.192.0.0/24');
  assert.equal(new Set(networks.map(formatSubnet)).size, 300);
  assert.ok(networks.every((one, at) => !networks.slice(at + 1).some(other => overlaps(one, other))));
});

test('sources that are used up, or of which the host uses all: Docker s error', () => {
  const sources = [{ base: '10.0.0.0/23', size: 24 }];
  const networks = ['10.0.0.0/24', '10.0.1.0/24'].map(text => parseSubnet(text)!);
  assert.throws(() => chooseSubnet({ sources, networks, host: [] }), {
    kind: 'exhausted',
    message:
      'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network',
  });
});

test('an asked-for subnet may meet routes of the host, but no other network', () => {
  assert.deepEqual(plan([{ subnet: '10.1.2.3/24' }], { host: ['10.0.0.0/8'] }), [
    { subnet: '10.1.2.0/24', gateway: '10.1.2.1' },
  ]);
  assert.throws(() => plan([{ subnet: '10.1.0.0/16' }], { networks: ['10.1.2.0/24'] }), {
    kind: 'forbidden',
    message: 'Pool overlaps with other one on this address space',
  });
  assert.throws(() => plan([{ subnet: '10.0.0.0/8' }, { subnet: '10.1.0.0/16' }]), /Pool overlaps/);
});

test('gateway, range and auxiliary addresses are those asked for', () => {
  const aux = { router: '10.1.0.1', printer: '10.1.0.9' };
  assert.deepEqual(plan([{ subnet: '10.1.0.0/16', ipRange: '10.1.5.0/24', auxAddresses: aux }]), [
    { subnet: '10.1.0.0/16', gateway: '10.1.5.0', ipRange: '10.1.5.0/24', auxAddresses: aux },
  ]);
  assert.deepEqual(plan([{ subnet: '10.1.0.0/16', auxAddresses: aux }])[0]!.gateway, '10.1.0.2');
  assert.deepEqual(plan([{ subnet: '10.1.0.0/16', gateway: '10.1.255.254' }])[0]!.gateway, '10.1.255.254');
});

test('what lies outside of its subnet is refused', () => {
  for (const request of [
    { subnet: '10.1.0.0/16', gateway: '10.2.0.1' },
    { subnet: '10.1.0.0/16', ipRange: '10.2.0.0/24' },
    { subnet: '10.1.0.0/16', auxAddresses: { x: '10.2.0.1' } },
    { subnet: '10.1.0.0/16', gateway: 'gateway' },
    { subnet: '10.1.0.0/16', gateway: '10.1.0.9', auxAddresses: { x: '10.1.0.9' } },
    { subnet: '10.1.0.0/33' },
    { subnet: 'fd00::/64' },
  ]) {
    assert.throws(() => plan([request]), { name: 'EngineError' }, JSON.stringify(request));
  }
});

test('routes of the host are gone around, and half of the world is no route', () => {
  const host = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/25', '0.0.0.0/1', '128.0.0.0/1'];
  assert.deepEqual(plan([], { host }), [{ subnet: '100.64.1.0/24', gateway: '100.64.1.1' }]);
  const sources = [{ base: '10.0.0.0/22', size: 24 }];
  const choose = (taken: string[]) =>
    formatSubnet(chooseSubnet({ sources, networks: taken.map(text => parseSubnet(text)!), host: [] }));
  assert.equal(choose(['10.0.2.0/24', '10.0.0.7/32', '10.0.0.0/30']), '10.0.1.0/24');
  assert.equal(choose(['10.0.0.0/23', '10.0.0.0/24', '10.0.3.0/24']), '10.0.2.0/24');
});

test('networks without IPv4, or without a gateway of the host s', () => {
  const options = { enableIPv6: true, networkId: '0123456789abcdef'.repeat(4), networks: [], host: [] };
  const sources = [...defaultPools, { base: 'fd00:aa::/48', size: 64 }];
  assert.deepEqual(planPools([], { ...options, sources, ipv6Only: true }), [
    { subnet: 'fd00:aa::/64', gateway: 'fd00:aa::1' },
  ]);
  assert.throws(
    () => planPools([{ subnet: '10.1.0.0/16' }], { ...options, sources, ipv6Only: true }),
    /IPv4 is not enabled/,
  );
  assert.deepEqual(planPools([], { ...options, sources, withoutGateway: [4] }), [
    { subnet: '172.17.0.0/16' },
    { subnet: 'fd00:aa::/64', gateway: 'fd00:aa::1' },
  ]);
  const auxAddresses = { DefaultGatewayIPv4: '10.1.0.9' };
  const [pool] = plan([{ subnet: '10.1.0.0/16', auxAddresses }]);
  assert.equal(pool!.gateway, '10.1.0.1');
  assert.equal(namedGateway(pool!), '10.1.0.9');
});

test('IPv6 gets a subnet of its own when none was given', () => {
  assert.deepEqual(plan([], { enableIPv6: true })[1], {
    subnet: 'fd01:2345:6789::/64',
    gateway: 'fd01:2345:6789::1',
  });
  assert.deepEqual(plan([{ subnet: '2001:db8::/64' }], { enableIPv6: true }), [
    { subnet: '172.17.0.0/16', gateway: '172.17.0.1' },
    { subnet: '2001:db8::/64', gateway: '2001:db8::1' },
  ]);
});
