import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainNetwork } from './default-networks.ts';
import { bridgeSettings, checkRequest } from './options.ts';

const defaults = { linkName: 'br-x', isDefault: false, hostBindingIpv4: '0.0.0.0' };

test('bridge options mean what Docker s mean', () => {
  assert.deepEqual(bridgeSettings({}, defaults), {
    linkName: 'br-x',
    interContainer: true,
    masquerade: true,
    hostBindingIpv4: '0.0.0.0',
    mtu: undefined,
    isDefault: false,
  });
  const options = {
    'com.docker.network.bridge.name': 'mine',
    'com.docker.network.bridge.enable_icc': 'false',
    'com.docker.network.bridge.enable_ip_masquerade': '0',
    'com.docker.network.bridge.host_binding_ipv4': '127.0.0.1',
    'com.docker.network.driver.mtu': '1400',
  };
  assert.deepEqual(bridgeSettings(options, defaults), {
    linkName: 'mine',
    interContainer: false,
    masquerade: false,
    hostBindingIpv4: '127.0.0.1',
    mtu: 1400,
    isDefault: false,
  });
});

test('what is unknown or wrong is refused by name', () => {
  const bad: [Record<string, string>, string][] = [
    [{ 'com.example.speed': 'high' }, 'notImplemented'],
    [{ 'com.docker.network.bridge.enable_icc': 'perhaps' }, 'invalid'],
    [{ 'com.docker.network.bridge.name': 'much-too-long-a-name' }, 'invalid'],
    [{ 'com.docker.network.bridge.name': '../../etc' }, 'invalid'],
    [{ 'com.docker.network.bridge.host_binding_ipv4': '::' }, 'invalid'],
    [{ 'com.docker.network.driver.mtu': '9' }, 'invalid'],
  ];
  for (const [options, kind] of bad) {
    assert.throws(() => bridgeSettings(options, defaults), { kind }, JSON.stringify(options));
  }
});

test('requests Docker refuses are refused in its words', () => {
  const taken = { ...plainNetwork('none', 0), name: 'app' };
  const refusals: [Parameters<typeof checkRequest>[0], string, string][] = [
    [{ name: 'app' }, 'conflict', 'network with name app already exists'],
    [{ name: 'bridge' }, 'forbidden', 'operation is not permitted on predefined bridge network '],
    [{ name: 'x', driver: 'host' }, 'forbidden', 'only one instance of "host" network is allowed'],
    [{ name: 'x', driver: 'nope' }, 'notFound', 'plugin "nope" not found'],
    [{ name: 'x', driver: 'overlay' }, 'notImplemented', 'network driver "overlay" is not supported yet'],
    [{ name: 'x', scope: 'swarm' }, 'notImplemented', 'scope "swarm": not supported'],
    [{ name: 'x', ipam: { driver: 'dhcp' } }, 'notImplemented', 'IPAM driver "dhcp": not supported'],
    [{ name: '' }, 'invalid', 'invalid name: "" is invalid'],
    [{ name: 'a/b' }, 'invalid', 'invalid name: "a/b" is invalid'],
  ];
  for (const [request, kind, message] of refusals) {
    assert.throws(() => checkRequest(request, [taken]), { kind, message });
  }
  checkRequest({ name: 'my_app.net-1', driver: 'bridge' }, [taken]);
});
