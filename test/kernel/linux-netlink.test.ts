import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { withNetworkNamespace } from '../../src/linux/namespaces.ts';
import { addAddress, deleteAddress, listAddresses } from '../../src/linux/netlink/addresses.ts';
import {
  addBridge,
  addVeth,
  deleteLink,
  deleteLinks,
  findLink,
  listLinks,
  setLink,
} from '../../src/linux/netlink/links.ts';
import { listRoutes, setDefaultRoute } from '../../src/linux/netlink/routes.ts';
import { NetlinkSocket } from '../../src/linux/netlink/socket.ts';
import { NftGeneration } from '../../src/linux/nftables/generation.ts';
import { Nftables } from '../../src/linux/nftables/nftables.ts';
import { formatSubnet, parseIp } from '../../src/stdx/ip.ts';
import { enterPrivateHost, makeNamespace } from '../support/network-world.ts';

let socket: NetlinkSocket;

before(() => {
  enterPrivateHost();
  socket = new NetlinkSocket();
});

after(() => socket.close());

test('a bridge is made as asked, changed, found and deleted', () => {
  addBridge(socket, { name: 'br-test', macAddress: '02:42:0a:00:00:01', mtu: 1400 });
  const made = findLink(socket, 'br-test')!;
  assert.deepEqual(
    [made.kind, made.macAddress, made.mtu, made.up],
    ['bridge', '02:42:0a:00:00:01', 1400, false],
  );
  setLink(socket, made.index, { up: true, alias: 'of a test', name: 'br-other' });
  const changed = findLink(socket, 'br-other')!;
  assert.deepEqual([changed.index, changed.alias, changed.up], [made.index, 'of a test', true]);
  assert.equal(deleteLink(socket, 'br-other'), true);
  assert.equal(deleteLink(socket, 'br-other'), false);
  assert.equal(findLink(socket, 'br-other'), undefined);
  assert.equal(findLink(socket, 'a-name-longer-than-any-link-may-have'), undefined);
});

test('a veth s peer appears in the other namespace with its final name and address', () => {
  addBridge(socket, { name: 'br-veth' });
  const { index } = findLink(socket, 'br-veth')!;
  const namespace = makeNamespace();
  const fd = openSync(namespace.path, 'r');
  const peer = { name: 'eth0', macAddress: '02:42:0a:00:00:07', namespaceFd: fd };
  addVeth(socket, { name: 'veth-a', masterIndex: index, group: 77, peer });
  const ours = findLink(socket, 'veth-a')!;
  assert.deepEqual([ours.kind, ours.masterIndex, ours.group], ['veth', index, 77]);
  const inside = withNetworkNamespace(namespace.path, () => {
    using there = new NetlinkSocket();
    return listLinks(there).map(link => [link.name, link.macAddress]);
  });
  assert.deepEqual(inside.at(-1), ['eth0', '02:42:0a:00:00:07']);
  addVeth(socket, { name: 'veth-b', peer: { name: 'eth1', namespaceFd: fd } });
  const doomed = [ours, findLink(socket, 'veth-b')!];
  deleteLinks(socket, [doomed[0]!]);
  // As when a veth went with its namespace since it was listed.
  deleteLinks(socket, doomed);
  deleteLinks(socket, doomed);
  assert.deepEqual([findLink(socket, 'veth-a'), findLink(socket, 'veth-b')], [undefined, undefined]);
  deleteLink(socket, 'br-veth');
  closeSync(fd);
  namespace.close();
});

test('addresses and routes of both families', () => {
  addBridge(socket, { name: 'br-ip' });
  const { index } = findLink(socket, 'br-ip')!;
  setLink(socket, index, { up: true });
  for (const [text, prefixLength] of [
    ['10.9.0.1', 16],
    ['2001:db8::1', 64],
  ] as const) {
    const held = { linkIndex: index, address: parseIp(text)!, prefixLength };
    addAddress(socket, held);
    addAddress(socket, held);
    assert.equal(listAddresses(socket).filter(other => other.address.value === held.address.value).length, 1);
  }
  setDefaultRoute(socket, parseIp('10.9.0.254')!);
  setDefaultRoute(socket, parseIp('10.9.0.253')!);
  const routes = listRoutes(socket).map(
    route => `${formatSubnet(route.destination)} ${route.gateway?.value ?? ''}`,
  );
  assert.ok(routes.includes('10.9.0.0/16 '), routes.join());
  assert.ok(routes.includes('2001:db8::/64 '), routes.join());
  assert.deepEqual(
    routes.filter(route => route.startsWith('0.0.0.0/0')),
    [`0.0.0.0/0 ${parseIp('10.9.0.253')!.value}`],
  );
  const address = parseIp('10.9.0.1')!;
  assert.equal(deleteAddress(socket, { linkIndex: index, address, prefixLength: 16 }), true);
  assert.equal(deleteAddress(socket, { linkIndex: index, address, prefixLength: 16 }), false);
  deleteLink(socket, 'br-ip');
});

test('errors say what was done, and what the kernel has to say about it', () => {
  addBridge(socket, { name: 'br-twice' });
  assert.throws(() => addBridge(socket, { name: 'br-twice' }), {
    code: 'EEXIST',
    message: /^adding bridge "br-twice": /,
  });
  assert.throws(
    () => addAddress(socket, { linkIndex: 9999, address: parseIp('10.0.0.1')!, prefixLength: 8 }),
    {
      code: 'ENODEV',
      message: /^adding address 10\.0\.0\.1\/8 \(.*[Dd]evice not found\): /,
    },
  );
  deleteLink(socket, 'br-twice');
});

test('nftables commands take effect together or not at all, and errors show the place', () => {
  const nft = new Nftables();
  const generation = new NftGeneration();
  const before = generation.current();
  assert.throws(
    () => nft.run('add table inet one\nadd rule inet two chain accept\n'),
    /^EngineError: nftables: Error: .*\n.*\n *\^/s,
  );
  assert.equal(nft.run('list ruleset'), '');
  assert.equal(generation.current(), before);
  nft.run('add table inet one\nadd chain inet one c\n');
  assert.equal(generation.current(), before + 1);
  assert.deepEqual(
    nft.list('list ruleset').flatMap(object => Object.keys(object)),
    ['metainfo', 'table', 'chain'],
  );
  nft.run('delete table inet one');
  nft.close();
  generation.close();
});
