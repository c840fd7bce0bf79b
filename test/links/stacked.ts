import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { withNetworkNamespace } from '../../src/linux/namespaces.ts';
import { addAddress } from '../../src/linux/netlink/addresses.ts';
import { findLink } from '../../src/linux/netlink/links.ts';
import { NetlinkSocket } from '../../src/linux/netlink/socket.ts';
import { addVlan } from '../../src/linux/netlink/stacked-links.ts';
import { NetworkController } from '../../src/network/controller.ts';
import { parseInterface } from '../../src/stdx/ip.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { Database } from '../../src/storage/database.ts';
import { enterPrivateHost, type Namespace, plugNeighbour } from '../support/network-world.ts';
import { type Party, partyOf, reachability, runContainerOn } from '../support/reachability.ts';

/**
 * Run by `../support/guest.ts`. Seven LANs with a neighbour each; on each of them a network of another kind, with two
 * containers (one where only one can be). Rows ask, columns answer.
 */
const directory = mkdtempSync(join(tmpdir(), 'gantry-links-'));
let networks: NetworkController;
let parties: Party[] = [];

function openNetworks(): NetworkController {
  return NetworkController.open({
    database: Database.open(join(directory, 'state.db')),
    log: silentLog,
    config: { resolvConfPath: '/dev/null' },
  });
}

/** `192.0.N.1` is the host, `192.0.N.9` the neighbour. */
function plugLan(name: string, number: number): Namespace {
  return plugNeighbour(
    [
      { host: `192.0.${number}.1/24`, neighbour: `192.0.${number}.9/24` },
      { host: `2001:db8:${number}::1/64`, neighbour: `2001:db8:${number}::9/64` },
    ],
    name,
  );
}

function neighbourParty(name: string, number: number, namespace: Namespace): Party {
  return partyOf(name, namespace, { ipv4: `192.0.${number}.9`, ipv6: `2001:db8:${number}::9` });
}

function createOn(name: string, driver: string, options: Record<string, string>, number: number): void {
  const pools = [
    { subnet: `192.0.${number}.0/24`, gateway: `192.0.${number}.9`, ipRange: `192.0.${number}.64/26` },
    {
      subnet: `2001:db8:${number}::/64`,
      gateway: `2001:db8:${number}::9`,
      ipRange: `2001:db8:${number}::40/122`,
    },
  ];
  networks.create({ name, driver, options, enableIPv6: true, ipam: { pools } });
}

/** The neighbour's end of VLAN 10 on its LAN. */
function plugVlan(neighbour: Namespace, parent: string): void {
  withNetworkNamespace(neighbour.path, () => {
    using socket = new NetlinkSocket();
    addVlan(socket, { name: 'tagged', parentIndex: findLink(socket, parent)!.index, id: 10 });
    const { index } = findLink(socket, 'tagged')!;
    for (const text of ['192.0.40.9/24', '2001:db8:40::9/64']) {
      const { address, subnet } = parseInterface(text)!;
      addAddress(socket, { linkIndex: index, address, prefixLength: subnet.prefixLength });
    }
  });
}

before(() => {
  enterPrivateHost();
  const [flatLan, deepLan, aloneLan, tagLan, sharpLan, vepaLan, passLan] = [
    plugLan('flat', 2),
    plugLan('deep', 3),
    plugLan('alone', 4),
    plugLan('tag', 5),
    plugLan('sharp', 6),
    plugLan('vepa', 7),
    plugLan('pass', 8),
  ];
  plugVlan(tagLan, 'tag1');
  networks = openNetworks();
  createOn('flat', 'ipvlan', { parent: 'flat0' }, 2);
  createOn('deep', 'ipvlan', { parent: 'deep0', ipvlan_mode: 'l3' }, 30);
  createOn('alone', 'ipvlan', { parent: 'alone0', ipvlan_flag: 'private' }, 4);
  createOn('tag', 'macvlan', { parent: 'tag0.10' }, 40);
  createOn('sharp', 'ipvlan', { parent: 'sharp0', ipvlan_mode: 'l3s' }, 60);
  createOn('vepa', 'macvlan', { parent: 'vepa0', macvlan_mode: 'vepa' }, 7);
  createOn('pass', 'macvlan', { parent: 'pass0', macvlan_mode: 'passthru' }, 8);
  networks.create({ name: 'dead', driver: 'ipvlan', enableIPv6: true, internal: true });
  parties = [
    partyOf('host', undefined, { ipv4: '192.0.2.1', ipv6: '2001:db8:2::1' }),
    neighbourParty('flatLan', 2, flatLan),
    neighbourParty('deepLan', 3, deepLan),
    neighbourParty('aloneLan', 4, aloneLan),
    neighbourParty('tagLan', 40, tagLan),
    neighbourParty('sharpLan', 6, sharpLan),
    neighbourParty('vepaLan', 7, vepaLan),
    neighbourParty('passLan', 8, passLan),
    ...['flat', 'deep', 'alone', 'tag', 'dead', 'sharp', 'vepa'].flatMap(network =>
      [1, 2].map(number => runContainerOn(networks, network, number)),
    ),
    runContainerOn(networks, 'pass', 1),
  ];
});

after(() => {
  for (const party of parties) party.close();
  networks.dismantle();
  networks.close();
  rmSync(directory, { recursive: true });
});

/**
 * In modes l3 and l3s the host's routes decide, so that everybody who routes by the host is reached and reaches. What a
 * vepa sends to its sibling is for the switch to send back, and a neighbour is no switch. With passthru the parent is the
 * container's, and no longer the host's.
 */
const expected = `
          host flatLan deepLan aloneLan tagLan sharpLan vepaLan passLan flat1 flat2 deep1 deep2 alone1 alone2 tag1 tag2 dead1 dead2 sharp1 sharp2 vepa1 vepa2 pass1
flatLan   x    x       .       .        .      .        .       .       x     x     .     .     .      .      .    .    .     .     .      .      .     .     .
deepLan   x    .       x       .        .      .        .       .       .     .     x     x     .      .      .    .    .     .     .      .      .     .     .
aloneLan  x    .       .       x        .      .        .       .       .     .     .     .     x      x      .    .    .     .     .      .      .     .     .
tagLan    x    .       .       .        x      .        .       .       .     .     .     .     .      .      x    x    .     .     .      .      .     .     .
sharpLan  x    .       .       .        .      x        .       .       .     .     .     .     .      .      .    .    .     .     x      x      .     .     .
vepaLan   x    .       .       .        .      .        x       .       .     .     .     .     .      .      .    .    .     .     .      .      x     x     .
passLan   .    .       .       .        .      .        .       x       .     .     .     .     .      .      .    .    .     .     .      .      .     .     x
flat1     .    x       .       .        .      .        .       .       x     x     .     .     .      .      .    .    .     .     .      .      .     .     .
deep1     .    .       x       .        .      .        .       .       .     .     x     x     .      .      .    .    .     .     .      .      .     .     .
alone1    .    .       .       x        .      .        .       .       .     .     .     .     x      .      .    .    .     .     .      .      .     .     .
tag1      .    .       .       .        x      .        .       .       .     .     .     .     .      .      x    x    .     .     .      .      .     .     .
dead1     .    .       .       .        .      .        .       .       .     .     .     .     .      .      .    .    x     x     .      .      .     .     .
sharp1    .    .       .       .        .      x        .       .       .     .     .     .     .      .      .    .    .     .     x      x      .     .     .
vepa1     .    .       .       .        .      .        x       .       .     .     .     .     .      .      .    .    .     .     .      .      x     .     .
pass1     .    .       .       .        .      .        .       x       .     .     .     .     .      .      .    .    .     .     .      .      .     .     x
`;

describe('ipvlan and macvlan in all modes, VLANs and dead ends', () => {
  for (const family of ['ipv4', 'ipv6'] as const) {
    test(`by ${family}`, async () => {
      assert.equal(await reachability(parties, family, expected), expected);
    });
  }

  test('what was made for a network goes with it, and comes back with the daemon', () => {
    using socket = new NetlinkSocket();
    const kindOf = (name: string) => findLink(socket, name)?.kind;
    const dead = networks.get('dead').parent!.linkName;
    assert.deepEqual([kindOf(dead), kindOf('tag0.10')], ['dummy', 'vlan']);
    const names = networks.list().flatMap(({ name, predefined }) => (predefined ? [] : [name]));
    for (const { id } of names.flatMap(name => networks.endpointsOf(networks.get(name)))) {
      const endpoint = names
        .flatMap(name => networks.endpointsOf(networks.get(name)))
        .find(one => one.id === id)!;
      networks.release(endpoint.containerId);
    }
    networks.dismantle();
    assert.deepEqual([kindOf(dead), kindOf('tag0.10')], [undefined, undefined]);
    networks.close();
    networks = openNetworks();
    assert.deepEqual([kindOf(dead), kindOf('tag0.10')], ['dummy', 'vlan']);
    networks.create({ name: 'second', driver: 'macvlan', options: { parent: 'tag0.10' } });
    networks.remove('tag');
    assert.equal(kindOf('tag0.10'), 'vlan', 'another network is on it');
    networks.remove('second');
    networks.remove('dead');
    assert.deepEqual([kindOf(dead), kindOf('tag0.10')], [undefined, undefined]);
  });

  test('an ipvlan has its parent s MAC address, and one network for each parent', () => {
    networks.remove('flat');
    networks.create({ name: 'flat', driver: 'ipvlan', options: { parent: 'flat0' } });
    const place = { containerId: 'e'.repeat(64), containerName: 'e', network: 'flat' };
    assert.throws(
      () => networks.allocate({ ...place, macAddress: '02:00:00:00:00:01' }),
      /custom mac address/,
    );
    assert.equal(networks.allocate(place).macAddress, '');
    networks.release(place.containerId);
    assert.throws(
      () => networks.create({ name: 'more', driver: 'ipvlan', options: { parent: 'flat0' } }),
      /^EngineError: network di-[0-9a-f]{12} is already using parent interface flat0$/,
    );
  });
});
