import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { NetworkController } from '../../src/network/controller.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { Database } from '../../src/storage/database.ts';
import { enterPrivateHost, plugNeighbour } from '../support/network-world.ts';
import { type Party, partyOf, reachability, runContainerOn } from '../support/reachability.ts';

/**
 * Who reaches whom: a host on a LAN with a neighbour, and on each kind of network two containers. Rows ask, columns
 * answer; `x` is a connection that comes about.
 */
const directory = mkdtempSync(join(tmpdir(), 'gantry-network-'));
let networks: NetworkController;
let parties: Party[];

before(() => {
  enterPrivateHost();
  const neighbour = plugNeighbour([
    { host: '192.0.2.1/24', neighbour: '192.0.2.9/24' },
    { host: '2001:db8:9::1/64', neighbour: '2001:db8:9::9/64' },
  ]);
  networks = NetworkController.open({
    database: Database.open(join(directory, 'state.db')),
    log: silentLog,
    config: { resolvConfPath: '/dev/null', ipv6: true, bip6: '2001:db8:b::1/64' },
  });
  const icc = { 'com.docker.network.bridge.enable_icc': 'false' };
  networks.create({ name: 'plain', enableIPv6: true });
  networks.create({ name: 'apart', enableIPv6: true, options: icc });
  networks.create({ name: 'inner', enableIPv6: true, internal: true });
  const modes = (mode: string) => ({
    'com.docker.network.bridge.gateway_mode_ipv4': mode,
    'com.docker.network.bridge.gateway_mode_ipv6': mode,
  });
  networks.create({ name: 'open', enableIPv6: true, options: modes('nat-unprotected') });
  networks.create({ name: 'rout', enableIPv6: true, options: modes('routed') });
  networks.create({ name: 'isol', enableIPv6: true, internal: true, options: modes('isolated') });
  const lan = {
    pools: [
      { subnet: '192.0.2.0/24', gateway: '192.0.2.9', ipRange: '192.0.2.64/26' },
      { subnet: '2001:db8:9::/64', gateway: '2001:db8:9::9', ipRange: '2001:db8:9::40/122' },
    ],
  };
  networks.create({
    name: 'lan',
    driver: 'macvlan',
    options: { parent: 'lan0' },
    enableIPv6: true,
    ipam: lan,
  });
  networks.create({
    name: 'shy',
    driver: 'macvlan',
    options: { parent: 'lan0', macvlan_mode: 'private' },
    enableIPv6: true,
    ipam: { pools: [{ subnet: '198.51.100.0/24' }, { subnet: '2001:db8:51::/64' }] },
  });
  networks.create({ name: 'dead', driver: 'macvlan', internal: true, enableIPv6: true });
  parties = [
    partyOf('host', undefined, { ipv4: '192.0.2.1', ipv6: '2001:db8:9::1' }),
    partyOf('neighbour', neighbour, { ipv4: '192.0.2.9', ipv6: '2001:db8:9::9' }),
    runContainerOn(networks, 'bridge', 1),
    ...['plain', 'apart', 'inner', 'open', 'rout', 'isol', 'lan', 'shy', 'dead'].flatMap(network =>
      [1, 2].map(number => runContainerOn(networks, network, number)),
    ),
  ];
});

after(() => {
  for (const party of parties) party.close();
  networks.dismantle();
  networks.close();
  rmSync(directory, { recursive: true });
});

/** The same for both families. */
const expected = `
           host neighbour plain1 plain2 bridge1 apart1 apart2 inner1 inner2 open1 rout1 isol1 isol2 lan1 lan2 shy1 shy2 dead1 dead2
host       x    x         x      x      x       x      x      x      x      x     x     .     .     .    .    .    .    .     .
neighbour  x    x         .      .      .       .      .      .      .      x     .     .     .     x    x    .    .    .     .
plain1     x    x         x      x      .       .      .      .      .      .     .     .     .     .    .    .    .    .     .
bridge1    x    x         .      .      x       .      .      .      .      .     .     .     .     .    .    .    .    .     .
apart1     x    x         .      .      .       x      .      .      .      .     .     .     .     .    .    .    .    .     .
inner1     .    .         .      .      .       .      .      x      x      .     .     .     .     .    .    .    .    .     .
open1      x    x         .      .      .       .      .      .      .      x     .     .     .     .    .    .    .    .     .
rout1      x    x         .      .      .       .      .      .      .      .     x     .     .     .    .    .    .    .     .
isol1      .    .         .      .      .       .      .      .      .      .     .     x     x     .    .    .    .    .     .
lan1       .    x         .      .      .       .      .      .      .      .     .     .     .     x    x    .    .    .     .
shy1       .    .         .      .      .       .      .      .      .      .     .     .     .     .    .    x    .    .     .
dead1      .    .         .      .      .       .      .      .      .      .     .     .     .     .    .    .    .    x     x
`;

describe('who reaches whom', () => {
  for (const family of ['ipv4', 'ipv6'] as const) {
    test(`by ${family}`, async () => {
      assert.equal(await reachability(parties, family, expected), expected);
    });
  }
});
