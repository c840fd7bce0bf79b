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

test('gateway modes, source addresses and names of interfaces', () => {
  const options = {
    'com.docker.network.bridge.gateway_mode_ipv4': 'routed',
    'com.docker.network.bridge.gateway_mode_ipv6': 'nat-unprotected',
    'com.docker.network.bridge.inhibit_ipv4': 'true',
    'com.docker.network.host_ipv4': '192.0.2.7',
    'com.docker.network.host_ipv6': '2001:db8::7',
    'com.docker.network.container_iface_prefix': 'web',
  };
  const { linkName, hostBindingIpv4, interContainer, masquerade, mtu, isDefault, ...rare } = bridgeSettings(
    options,
    defaults,
  );
  assert.deepEqual(rare, {
    gatewayModeIpv4: 'routed',
    gatewayModeIpv6: 'nat-unprotected',
    inhibitIpv4: true,
    sourceIpv4: '192.0.2.7',
    sourceIpv6: '2001:db8::7',
    containerPrefix: 'web',
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
    [{ 'com.docker.network.bridge.gateway_mode_ipv4': 'sideways' }, 'invalid'],
    [{ 'com.docker.network.host_ipv4': '2001:db8::7' }, 'invalid'],
    [{ 'com.docker.network.container_iface_prefix': 'a/b' }, 'invalid'],
    [{ 'com.docker.network.container_iface_prefix': 'thirteenchars' }, 'invalid'],
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
    [{ name: 'x', driver: 'overlay' }, 'notImplemented', 'network driver "overlay" is not supported'],
    [{ name: 'x', scope: 'swarm' }, 'notImplemented', 'scope "swarm": not supported'],
    [{ name: 'x', ipam: { driver: 'dhcp' } }, 'notImplemented', 'IPAM driver "dhcp": not supported'],
    [{ name: 'x', enableIPv4: false }, 'invalid', 'IPv4 or IPv6 must be enabled'],
    [{ name: '' }, 'invalid', 'invalid name: "" is invalid'],
    [{ name: 'a/b' }, 'invalid', 'invalid name: "a/b" is invalid'],
  ];
  for (const [request, kind, message] of refusals) {
    assert.throws(() => checkRequest(request, [taken]), { kind, message });
  }
  checkRequest({ name: 'my_app.net-1', driver: 'bridge' }, [taken]);
});
