import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Network } from './network.ts';
import { parentSettings, parseVlanName, refuseTakenParent } from './parent-options.ts';

const id = '0123456789abcdef'.repeat(4);

test('options of macvlan and ipvlan', () => {
  assert.deepEqual(parentSettings('macvlan', { parent: 'eth0' }, id), {
    linkName: 'eth0',
    stacking: { kind: 'macvlan', mode: 'bridge' },
    mtu: undefined,
  });
  assert.deepEqual(
    parentSettings('ipvlan', { ipvlan_mode: 'l3', 'com.docker.network.driver.mtu': '1400' }, id),
    {
      linkName: 'di-0123456789ab',
      stacking: { kind: 'ipvlan', mode: 'l3', flag: 'bridge' },
      mtu: 1400,
    },
  );
  assert.throws(() => parentSettings('macvlan', { ipvlan_mode: 'l2' }, id), { kind: 'notImplemented' });
  assert.throws(() => parentSettings('macvlan', { parent: 'lo' }, id), /loopback interface/);
  assert.throws(() => parentSettings('ipvlan', { ipvlan_flag: 'x' }, id), /ipvlan flag 'x' is not valid/);
});

test('names of VLAN sub-interfaces', () => {
  assert.deepEqual(parseVlanName('eth0.10'), { parentName: 'eth0', id: 10 });
  for (const name of ['eth0', 'eth0.x', 'eth0.', 'a.1.2']) assert.throws(() => parseVlanName(name), name);
});

test('a parent is shared by macvlan networks, unless one of them lets everything through', () => {
  const on = (options: Record<string, string>, driver: 'macvlan' | 'ipvlan' = 'macvlan') =>
    parentSettings(driver, { parent: 'eth0', ...options }, id);
  const taken = (parent: ReturnType<typeof on>) => [{ id, parent } as Network];
  refuseTakenParent(on({}), taken(on({ macvlan_mode: 'private' })));
  refuseTakenParent(on({ parent: 'eth1', macvlan_mode: 'passthru' }), taken(on({})));
  assert.throws(() => refuseTakenParent(on({ macvlan_mode: 'passthru' }), taken(on({}))), /cannot use mode/);
  assert.throws(() => refuseTakenParent(on({}), taken(on({ macvlan_mode: 'passthru' }))), /in mode passthru/);
  assert.throws(
    () => refuseTakenParent(on({}, 'ipvlan'), taken(on({}, 'ipvlan'))),
    /^EngineError: network di-0123456789ab is already using parent interface eth0$/,
  );
});
