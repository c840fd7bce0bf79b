import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '../network.ts';
import { type NameSource, resolveAddress, resolveName } from './names.ts';

/** A container `web` on some networks, of which the one called `inner` is internal. */
function sourceOf(networks: Record<string, Partial<Endpoint>>): NameSource {
  const endpoints = Object.entries(networks).map(([networkName, more]) => ({
    id: networkName,
    networkId: networkName,
    networkName,
    containerId: 'web',
    interfaceName: 'eth0',
    dnsNames: ['Web'],
    links: {},
    gatewayPriority: 0,
    ...more,
  })) as unknown as Endpoint[];
  return {
    endpointsOfContainer: id => (id === 'web' ? endpoints : []),
    endpointsOfNetwork: id => endpoints.filter(endpoint => endpoint.networkId === id),
    hasNames: id => id !== 'bridge',
    leadsOut: id => id !== 'inner',
  };
}

test('of several networks that know a name, the one answers that would rather lead out', () => {
  const answers = (networks: Record<string, Partial<Endpoint>>, name = 'web') =>
    resolveName(sourceOf(networks), 'web', name)?.map(({ networkName }) => networkName);
  const ipv6 = { address: 'fd00::2', prefixLength: 64 };
  assert.deepEqual(answers({ two: {}, one: {} }), ['one']);
  assert.deepEqual(answers({ two: { ipv6 }, one: {} }), ['two']);
  assert.deepEqual(answers({ inner: { ipv6 }, one: {} }), ['one']);
  assert.deepEqual(answers({ inner: { gatewayPriority: 1 }, one: {} }), ['inner']);
  assert.deepEqual(answers({ two: {}, one: {} }, 'WEB.two'), ['two'], 'asked for one network');
  assert.deepEqual(answers({ bridge: {} }), undefined, 'no names there');
});

test('an address of a connected container on one of the networks has a name, another has none', () => {
  const at = (address: string, interfaceName = 'eth0') => ({
    containerName: 'web',
    ipv4: { address, prefixLength: 24 },
    interfaceName,
  });
  const source = sourceOf({ one: at('10.0.0.2'), two: at('10.0.1.2', ''), bridge: at('10.0.2.2') });
  const nameOf = (pointer: string) => resolveAddress(source, 'web', `${pointer}.in-addr.arpa`);
  assert.equal(nameOf('2.0.0.10'), 'web.one');
  assert.equal(nameOf('2.1.0.10'), undefined, 'not connected');
  assert.equal(nameOf('2.2.0.10'), undefined, 'no names there');
  assert.equal(nameOf('3.0.0.10'), undefined);
});
