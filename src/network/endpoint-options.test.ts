import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointSettings, sysctlFor } from './endpoint-options.ts';

const name = 'com.docker.network.endpoint.ifname';
const sysctls = 'com.docker.network.endpoint.sysctls';

test('driver options of an endpoint', () => {
  assert.deepEqual(endpointSettings({}), {});
  assert.deepEqual(
    endpointSettings({
      driverOptions: {
        [name]: 'web0',
        [sysctls]: 'net.ipv4.conf.IFNAME.forwarding=1,net.ipv6.neigh.IFNAME.x=a=b',
      },
      linkLocalIps: ['169.254.1.2', 'fe80::7'],
    }),
    {
      wantedName: 'web0',
      sysctls: ['net.ipv4.conf.IFNAME.forwarding=1', 'net.ipv6.neigh.IFNAME.x=a=b'],
      linkLocalIps: ['169.254.1.2', 'fe80::7'],
    },
  );
});

test('what an endpoint is refused', () => {
  const refused: Record<string, string>[] = [
    { [name]: 'a/b' },
    { [name]: '' },
    { [name]: '..' },
    { [name]: 'longer-than-fifteen' },
    { [sysctls]: 'kernel.hostname=x' },
    { [sysctls]: 'net.ipv4.conf.eth0.forwarding=1' },
    { [sysctls]: 'net.ipv4.conf.IFNAME.../../x=1' },
    { [sysctls]: 'net.ipv4.conf.IFNAME.forwarding' },
  ];
  for (const driverOptions of refused) {
    assert.throws(
      () => endpointSettings({ driverOptions }),
      { kind: 'invalid' },
      JSON.stringify(driverOptions),
    );
  }
  assert.throws(() => endpointSettings({ driverOptions: { speed: 'high' } }), { kind: 'notImplemented' });
  assert.throws(() => endpointSettings({ linkLocalIps: ['here'] }), /invalid link-local IP address: here/);
});

test('a sysctl is its interface s', () => {
  assert.deepEqual(sysctlFor('net.ipv4.conf.IFNAME.forwarding=1', 'eth0.7'), {
    path: 'ipv4/conf/eth0.7/forwarding',
    value: '1',
  });
});
