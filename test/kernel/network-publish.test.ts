import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import dgram from 'node:dgram';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { openInetSocket } from '../../src/linux/inet-socket.ts';
import { withNetworkNamespace } from '../../src/linux/namespaces.ts';
import { addAddress, deleteAddress } from '../../src/linux/netlink/addresses.ts';
import { addBridge, addVeth, deleteLink, findLink, setLinkUp } from '../../src/linux/netlink/links.ts';
import { setDefaultRoute } from '../../src/linux/netlink/routes.ts';
import { NetlinkSocket } from '../../src/linux/netlink/socket.ts';
import { Nftables } from '../../src/linux/nftables/nftables.ts';
import type { NetworkConfig } from '../../src/network/config.ts';
import { NetworkController } from '../../src/network/controller.ts';
import type { PortRequest } from '../../src/network/network.ts';
import { parseIp } from '../../src/stdx/ip.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { Database } from '../../src/storage/database.ts';
import {
  askTcp,
  askUdp,
  enterPrivateHost,
  makeNamespace,
  type Namespace,
  plugNeighbour,
  serveTcp,
  serveUdp,
} from '../support/network-world.ts';
import { sendSctpInit, watchSctp } from '../support/sctp-packets.ts';
import { settled } from '../support/settled.ts';

/** Publishing and the firewall where they are attacked, disturbed, or changed under a client that goes on. */
const hostAddress = '192.0.2.1';
let directory: string;
let networks: NetworkController;
let neighbour: Namespace;
let nft: Nftables;
let closing: (() => void)[] = [];
let count = 0;

before(() => {
  enterPrivateHost();
  neighbour = plugNeighbour([
    { host: `${hostAddress}/24`, neighbour: '192.0.2.9/24' },
    { host: '192.0.2.2/24', neighbour: '192.0.2.10/24' },
    { host: '2001:db8:9::1/64', neighbour: '2001:db8:9::9/64' },
    { host: '2001:db8:9::2/64', neighbour: '2001:db8:9::10/64' },
  ]);
  nft = new Nftables();
});

after(() => {
  neighbour.close();
  nft.close();
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gantry-network-'));
  openNetworks();
});

afterEach(() => {
  for (const close of closing) close();
  closing = [];
  networks.dismantle();
  networks.close();
  rmSync(directory, { recursive: true });
});

function openNetworks(config: NetworkConfig = {}): void {
  const database = Database.open(join(directory, 'state.db'));
  networks = NetworkController.open({
    database,
    log: silentLog,
    config: { resolvConfPath: '/dev/null', ...config },
  });
}

function runContainer(name: string, ports: PortRequest[] = []): { id: string; namespace: Namespace } {
  const id = (++count).toString(16).padStart(64, '0');
  const namespace = makeNamespace();
  const endpoint = networks.allocate({ containerId: id, containerName: name, network: 'bridge' });
  networks.connect(endpoint, namespace.path);
  networks.publish(id, ports);
  const servers = [serveTcp(namespace, 80, name), serveUdp(namespace, 80, name)];
  closing.push(...servers.map(server => () => server.close()), namespace.close);
  return { id, namespace };
}

const web: PortRequest = { containerPort: 80, protocol: 'tcp', hostPort: '8080' };

test('a client that sends UDP from one port for ever reaches whichever container has the port now', {
  timeout: 60_000,
}, async () => {
  const fd = withNetworkNamespace(neighbour.path, () =>
    openInetSocket({ protocol: 'udp', address: parseIp('0.0.0.0')!, port: 4444 }),
  );
  const client = dgram.createSocket('udp4');
  client.bind({ fd });
  closing.push(() => client.close());
  // The flow begins at the host itself, where nobody listens.
  await new Promise(sent => client.send('who?', 5300, hostAddress, sent));
  const first = runUdpContainer('first');
  // Led by the kernel from a moment on: the true client is seen.
  await hears(client, 'first 192.0.2.9');
  for (const endpoint of networks.endpointsOfContainer(first)) networks.disconnect(endpoint);
  networks.release(first);
  runUdpContainer('second');
  await hears(client, 'second 192.0.2.9');
});

function runUdpContainer(name: string): string {
  const { id, namespace } = runContainer(name, [{ containerPort: 53, protocol: 'udp', hostPort: '5300' }]);
  const fd = withNetworkNamespace(namespace.path, () =>
    openInetSocket({ protocol: 'udp', address: parseIp('0.0.0.0')!, port: 53 }),
  );
  const server = dgram.createSocket('udp4');
  server.on('message', (_, from) => server.send(`${name} ${from.address}`, from.port, from.address));
  server.bind({ fd });
  closing.push(() => server.close());
  return id;
}

/** Asks until it gets the answer. */
async function hears(client: dgram.Socket, wanted: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const asking = setInterval(() => client.send('who?', 5300, hostAddress), 50);
  closing.push(() => clearInterval(asking));
  const listen = (message: Buffer) => {
    if (String(message) === wanted) resolve();
  };
  client.on('message', listen);
  await promise;
  clearInterval(asking);
  client.off('message', listen);
}

test('SCTP is published, and its port is taken once', { timeout: 60_000 }, async () => {
  const sctp: PortRequest = { containerPort: 7000, protocol: 'sctp', hostPort: '7001' };
  const { namespace } = runContainer('signalling', [sctp]);
  const { promise, resolve } = Promise.withResolvers<string>();
  closing.push(watchSctp(namespace, resolve));
  const sending = setInterval(() => sendSctpInit(neighbour, hostAddress, 7001), 100);
  closing.push(() => clearInterval(sending));
  assert.equal(await promise, '192.0.2.9 to 7000');
  assert.throws(
    () => runContainer('other', [sctp]),
    /Bind for 0\.0\.0\.0:7001 failed: port is already allocated$/,
  );
});

describe('the firewall is put back without being asked', () => {
  for (const damage of ['flush ruleset', 'delete table inet gantry', 'flush set inet gantry bridges']) {
    test(`after ${damage}`, async () => {
      runContainer('web', [web]);
      const mended = keepUntilMended();
      nft.run(damage);
      await mended;
      assert.equal(await askTcp(neighbour, hostAddress, 8080), 'web 192.0.2.9');
    });
  }

  test('after a rule was replaced by another', async () => {
    runContainer('web', [web]);
    const last = nft.list('list chain inet gantry inbound').findLast(({ rule }) => rule !== undefined);
    const mended = keepUntilMended();
    nft.run(`replace rule inet gantry inbound handle ${last!['rule']!['handle']} accept`);
    await mended;
    assert.match(nft.run('list chain inet gantry inbound'), /\bdrop\n\t}/);
  });

  function keepUntilMended(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    networks.keepFirewall(() => {
      if (networks.verify()) resolve();
    });
    return promise;
  }
});

describe('the host s own 127.0.0.1', () => {
  /** Lets a machine send to 127.0.0.1 of the host: an attacker's, who has root there. */
  function aimAtLoopback(namespace: Namespace, interfaceName: string): void {
    withNetworkNamespace(namespace.path, () => {
      writeFileSync(`/proc/sys/net/ipv4/conf/${interfaceName}/route_localnet`, '1');
      using socket = new NetlinkSocket();
      const lo = findLink(socket, 'lo')!;
      deleteAddress(socket, { linkIndex: lo.index, address: parseIp('127.0.0.1')!, prefixLength: 8 });
    });
  }

  test('is out of reach for a container, and for a neighbour (CVE-2020-8558)', async () => {
    const { namespace } = runContainer('attacker');
    runContainer('local', [{ ...web, hostIp: '127.0.0.1', hostPort: '8081' }]);
    const service = serveTcp(undefined, 6379, 'service');
    closing.push(() => service.close());
    aimAtLoopback(namespace, 'eth0');
    aimAtLoopback(neighbour, 'lan1');
    const asked = [namespace, neighbour].flatMap(from =>
      [6379, 8081].map(port => askTcp(from, '127.0.0.1', port)),
    );
    assert.deepEqual(await Promise.all(asked), ['timeout', 'timeout', 'timeout', 'timeout']);
    // The attack is one: without the rules it gets through.
    nft.run('flush chain inet gantry guard');
    assert.match(await askTcp(namespace, '127.0.0.1', 6379), /^service /);
  });
});

describe('a host that forwards because of us', () => {
  let other: Namespace;
  let server: { close(): void };
  before(() => {
    other = plugNeighbour([{ host: '198.51.100.1/24', neighbour: '198.51.100.9/24' }], 'far');
    server = serveTcp(other, 7777, 'far');
  });
  after(() => {
    server.close();
    other.close();
  });

  function reopen(forwardedBefore: '0' | '1', config?: NetworkConfig): void {
    networks.dismantle();
    networks.close();
    writeFileSync('/proc/sys/net/ipv4/ip_forward', forwardedBefore);
    openNetworks(config);
  }

  test('is no router for its neighbours', async () => {
    reopen('0');
    const { namespace } = runContainer('web', [web]);
    assert.equal(await askTcp(namespace, '198.51.100.9', 7777), 'far 198.51.100.1');
    assert.equal(await askTcp(other, '198.51.100.1', 8080), 'web 198.51.100.9');
    networks.close();
    openNetworks();
    assert.equal(await askTcp(neighbour, '198.51.100.9', 7777), 'timeout', 'also after a restart');
  });

  test('is one when asked to be, and when it was one before', async () => {
    reopen('0', { ipForwardNoDrop: true });
    assert.equal(await askTcp(neighbour, '198.51.100.9', 7777), 'far 192.0.2.9');
    reopen('1');
    assert.equal(await askTcp(neighbour, '198.51.100.9', 7777), 'far 192.0.2.9');
    networks.dismantle();
    assert.equal(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'), '1\n');
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '0');
  });
});

describe('without', () => {
  function reopen(config: NetworkConfig): void {
    networks.close();
    openNetworks(config);
  }

  test('rules, the proxy serves published ports', async () => {
    reopen({ firewall: false, firewallForIPv6: false });
    assert.doesNotMatch(nft.run('list tables'), /gantry/);
    runContainer('web', [web]);
    assert.equal(await askTcp(neighbour, hostAddress, 8080), 'web 172.17.0.1');
    assert.equal(await askTcp(undefined, '::1', 8080), 'web 172.17.0.1');
    assert.equal(networks.verify(), false);
    assert.doesNotMatch(nft.run('list tables'), /gantry/);
    // With rules again what runs on is served by them.
    reopen({});
    assert.equal(await askTcp(neighbour, hostAddress, 8080), 'web 192.0.2.9');
  });

  test('rules, UDP is answered from the address that was asked', async () => {
    reopen({ firewall: false, firewallForIPv6: false });
    runContainer('names', [{ containerPort: 80, protocol: 'udp', hostPort: '5300' }]);
    for (const address of [hostAddress, '192.0.2.2', '2001:db8:9::1', '2001:db8:9::2']) {
      assert.equal(await askUdp(neighbour, address, 5300), 'names', address);
    }
    assert.equal(await askUdp(undefined, '::1', 5300), 'names');
    assert.equal(await askUdp(undefined, '127.0.0.9', 5300), 'names');
  });

  test('a proxy, the kernel does, and nobody else gets the port', async () => {
    reopen({ userlandProxy: false });
    runContainer('web', [web]);
    assert.equal(await askTcp(neighbour, hostAddress, 8080), 'web 192.0.2.9');
    assert.match(await askTcp(undefined, '127.0.0.1', 8080), /^web /);
    assert.equal(await askTcp(undefined, '::1', 8080), 'ECONNREFUSED');
    assert.throws(() => serveTcp(undefined, 8080, 'thief'), { code: 'EADDRINUSE' });
  });

  test('rules for IPv4, those for IPv6 are as they were', async () => {
    reopen({ firewall: false });
    runContainer('web', [web]);
    assert.equal(await askTcp(neighbour, hostAddress, 8080), 'web 172.17.0.1');
    for (const hook of ['guard', 'prerouting', 'output', 'forward', 'postrouting', 'egress'])
      assert.match(nft.run(`list chain inet gantry ${hook}`), /policy accept;\s+meta nfproto ipv4 accept/);
    assert.equal(networks.verify(), false);
    nft.run('flush ruleset');
    assert.equal(networks.verify(), true);
  });

  test('rules for IPv6, the proxy serves that', async () => {
    reopen({ firewallForIPv6: false });
    runContainer('web', [web]);
    assert.equal(await askTcp(neighbour, hostAddress, 8080), 'web 192.0.2.9');
    assert.equal(await askTcp(neighbour, '2001:db8:9::1', 8080), 'web 172.17.0.1');
    for (const hook of ['guard', 'prerouting', 'output', 'forward', 'postrouting', 'egress'])
      assert.match(nft.run(`list chain inet gantry ${hook}`), /policy accept;\s+meta nfproto ipv6 accept/);
    assert.throws(
      () => networks.create({ name: 'x', options: { 'gantry.network.egress': '192.0.2.0/24' } }),
      {
        message: /ip6tables=false/,
      },
    );
  });

  test('a default bridge, containers have a loopback', () => {
    reopen({ bridgeName: 'none' });
    assert.deepEqual(
      networks
        .list()
        .map(({ name }) => name)
        .sort(),
      ['host', 'none'],
    );
    assert.throws(() => networks.get('bridge'), { kind: 'notFound' });
    const place = { containerId: 'f'.repeat(64), containerName: 'f', network: 'bridge' };
    assert.equal(networks.allocate(place).driver, 'null');
    networks.release(place.containerId);
    using socket = new NetlinkSocket();
    assert.equal(findLink(socket, 'gantry0'), undefined);
    reopen({});
    assert.equal(networks.get('bridge').bridge?.linkName, 'gantry0');
  });

  test('masquerading, containers leave under their own address', async () => {
    reopen({ masquerade: false });
    const { namespace } = runContainer('plain');
    const server = serveTcp(neighbour, 7778, 'neighbour');
    closing.push(() => server.close());
    assert.match(await askTcp(namespace, '192.0.2.9', 7778), /^neighbour 172\.17\.0\.\d+$/);
  });
});

describe('beside dockerd', () => {
  const iptables = (...args: string[]) => execFileSync('/usr/sbin/iptables-nft', ['-w', ...args]);

  afterEach(() => {
    using socket = new NetlinkSocket();
    deleteLink(socket, 'docker0');
    nft.run('flush ruleset');
  });

  /** A container on a bridge `docker0`, with the rules that dockerd has at the least. */
  function runDockerContainer(policy: 'DROP' | 'ACCEPT'): void {
    const namespace = makeNamespace();
    using socket = new NetlinkSocket();
    addBridge(socket, { name: 'docker0' });
    const bridge = findLink(socket, 'docker0')!;
    addAddress(socket, { linkIndex: bridge.index, address: parseIp('172.30.0.1')!, prefixLength: 16 });
    setLinkUp(socket, 'docker0');
    const namespaceFd = openSync(namespace.path, 'r');
    addVeth(socket, { name: 'vethdocker', masterIndex: bridge.index, peer: { name: 'eth0', namespaceFd } });
    closeSync(namespaceFd);
    setLinkUp(socket, 'vethdocker');
    withNetworkNamespace(namespace.path, () => {
      using inside = new NetlinkSocket();
      const { index } = findLink(inside, 'eth0')!;
      addAddress(inside, { linkIndex: index, address: parseIp('172.30.0.2')!, prefixLength: 16 });
      setLinkUp(inside, 'eth0');
      setDefaultRoute(inside, parseIp('172.30.0.1')!);
    });
    const server = serveTcp(namespace, 80, 'docker');
    closing.push(() => server.close(), namespace.close);
    iptables('-P', 'FORWARD', policy);
    iptables('-N', 'DOCKER-USER');
    iptables('-A', 'FORWARD', '-j', 'DOCKER-USER');
    const translate = ['-p', 'tcp', '--dport', '9090', '-j', 'DNAT', '--to-destination', '172.30.0.2:80'];
    iptables('-t', 'nat', '-A', 'PREROUTING', ...translate);
  }

  // A dockerd that finds the host forwarding already leaves it at ACCEPT.
  for (const policy of ['DROP', 'ACCEPT'] as const) {
    test(`with FORWARD ${policy}, containers of both reach each other by published ports only`, async () => {
      runDockerContainer(policy);
      networks.verify();
      const { namespace } = runContainer('ours', [web]);
      // Its carrier may take a moment to count.
      await settled(async () => assert.match(await askTcp(namespace, hostAddress, 9090), /^docker /));
      const closed = [namespace, neighbour].map(from => askTcp(from, '172.30.0.2', 80));
      assert.deepEqual(await Promise.all(closed), ['timeout', 'timeout']);
      assert.equal(await askTcp(neighbour, hostAddress, 8080), 'ours 192.0.2.9');
    });
  }
});
