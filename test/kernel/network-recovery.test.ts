import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { withNetworkNamespace } from '../../src/linux/namespaces.ts';
import { listAddresses } from '../../src/linux/netlink/addresses.ts';
import { addVeth, deleteLink, findLink, listLinks } from '../../src/linux/netlink/links.ts';
import { listRoutes } from '../../src/linux/netlink/routes.ts';
import { NetlinkSocket } from '../../src/linux/netlink/socket.ts';
import { Nftables } from '../../src/linux/nftables/nftables.ts';
import { NetworkController } from '../../src/network/controller.ts';
import type { PortRequest } from '../../src/network/network.ts';
import { contains, encloses, parseSubnet } from '../../src/stdx/ip.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { Database } from '../../src/storage/database.ts';
import {
  askTcp,
  askUntil,
  enterPrivateHost,
  makeNamespace,
  type Namespace,
  plugNeighbour,
  serveTcp,
} from '../support/network-world.ts';

const hostAddress = '192.0.2.1';
let directory: string;
let networks: NetworkController;
let neighbour: Namespace;
let nft: Nftables;
let closing: (() => void)[] = [];
let count = 0;

before(() => {
  enterPrivateHost();
  neighbour = plugNeighbour([{ host: `${hostAddress}/24`, neighbour: '192.0.2.9/24' }]);
  nft = new Nftables();
});

after(() => {
  neighbour.close();
  nft.close();
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gantry-network-'));
});

afterEach(() => {
  for (const close of closing) close();
  closing = [];
  networks.dismantle();
  networks.close();
  rmSync(directory, { recursive: true });
});

/** As after a SIGKILL: the database file and the kernel are what is left. */
function reopen(): void {
  const database = Database.open(join(directory, 'state.db'));
  networks = NetworkController.open({ database, log: silentLog, config: { resolvConfPath: '/dev/null' } });
}

function runContainer(
  name: string,
  on: string,
  ports: PortRequest[] = [],
): { id: string; namespacePath: string } {
  const id = (++count).toString(16).padStart(64, '0');
  const namespace = makeNamespace();
  networks.connect(networks.allocate({ containerId: id, containerName: name, network: on }), namespace.path);
  networks.publish(id, ports);
  const server = serveTcp(namespace, 80, name);
  closing.push(() => server.close(), namespace.close);
  return { id, namespacePath: namespace.path };
}

const published: PortRequest[] = [{ containerPort: 80, protocol: 'tcp', hostPort: '8080' }];

const linkLocal = parseSubnet('fe80::/10')!;

function world(): unknown {
  using socket = new NetlinkSocket();
  return {
    links: listLinks(socket).map(link => link.name),
    // The kernel gives lan0 its own link-local address whenever it has made sure that nobody else has it.
    addresses: listAddresses(socket).filter(({ address }) => !contains(linkLocal, address)).length,
    routes: listRoutes(socket).filter(({ destination }) => !encloses(linkLocal, destination)).length,
    rules: nft.run('list ruleset'),
    forwarding: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'),
  };
}

test('nothing is left when it is taken down', () => {
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '0');
  const empty = world();
  reopen();
  networks.create({ name: 'app' });
  runContainer('a', 'app', published);
  runContainer('b', 'bridge');
  assert.notDeepEqual(world(), empty);
  networks.dismantle();
  assert.deepEqual(world(), empty);
});

test('a new network leaves nothing when it is removed, and neither does a failed one', async () => {
  reopen();
  const one = world();
  networks.create({ name: 'app', ipam: { pools: [{ subnet: '10.9.0.0/16' }] } });
  assert.throws(
    () => networks.create({ name: 'overlapping', ipam: { pools: [{ subnet: '10.9.1.0/24' }] } }),
    {
      kind: 'forbidden',
      message: 'Pool overlaps with other one on this address space',
    },
  );
  const taken = { 'com.docker.network.bridge.name': 'lo' };
  assert.throws(() => networks.create({ name: 'bad', options: taken }), { kind: 'conflict' });
  assert.equal(networks.find('bad'), undefined);
  await networks.remove('app');
  assert.deepEqual(world(), one);
});

test('a network that is being removed takes nobody in, is removed once, and can be made again when it is gone', async () => {
  reopen();
  using netlink = new NetlinkSocket();
  const one = world();
  const request = {
    name: 'app',
    options: { 'com.docker.network.bridge.name': 'br-again' },
    ipam: { pools: [{ subnet: '10.9.0.0/16' }] },
  };
  networks.create(request);
  const first = networks.remove('app');
  const second = assert.rejects(networks.remove('app'), { kind: 'notFound' });
  assert.throws(() => networks.allocate({ containerId: 'a', containerName: 'a', network: 'app' }), {
    kind: 'notFound',
  });
  assert.deepEqual(await networks.prune(), []);
  await networks.settled();
  assert.equal(findLink(netlink, 'br-again'), undefined);
  networks.create(request);
  await Promise.all([first, second]);
  assert.equal(findLink(netlink, 'br-again')?.up, true);
  networks.create({ name: 'more' });
  assert.deepEqual((await networks.prune()).map(({ name }) => name).sort(), ['app', 'more']);
  assert.deepEqual(world(), one);
});

test('a second daemon in the same network namespace needs names of its own, until the first has ended', async () => {
  const holder = spawn(process.execPath, [
    '--eval',
    `net.createServer().listen('\\0gantryd firewall table "gantry"', () => console.log('listening'))`,
  ]);
  try {
    await once(holder.stdout, 'data');
    const config = { resolvConfPath: '/dev/null' };
    const database = Database.open(join(directory, 'state.db'));
    assert.throws(() => NetworkController.open({ database, log: silentLog, config }), {
      kind: 'conflict',
      message:
        `starting the networks: another gantryd has the firewall table "gantry": process ${holder.pid} has it in this ` +
        'network namespace; give this one a name of its own (--firewall-table)',
    });
    networks = NetworkController.open({
      database,
      log: silentLog,
      config: { ...config, firewallTable: 'other' },
    });
    networks.dismantle();
    // Its end is not waited for: the next daemon is often started at once.
    holder.kill('SIGKILL');
    reopen();
  } finally {
    holder.kill('SIGKILL');
  }
});

test('a restart of the daemon interrupts no port, and its sockets are taken again', async () => {
  reopen();
  const web = runContainer('web', 'bridge', published);
  networks.close();
  assert.match(await askTcp(neighbour, hostAddress, 8080), /^web /, 'without a daemon');
  assert.match(await askTcp(undefined, '127.0.0.1', 8080), /^web /, 'without a daemon');
  reopen();
  assert.match(await askTcp(neighbour, hostAddress, 8080), /^web /, 'before reconciling');
  networks.reconcile([{ containerId: web.id, namespacePath: web.namespacePath }]);
  for (const address of ['127.0.0.1', '::1', hostAddress]) {
    assert.match(await askTcp(undefined, address, 8080), /^web /, address);
  }
  assert.throws(() => serveTcp(undefined, 8080, 'thief'), { code: 'EADDRINUSE' });
});

test('parents that were made, and a macvlan upon them, come back; those of no network go', async () => {
  reopen();
  const { parent, id } = networks.create({ name: 'dead', driver: 'macvlan', internal: true });
  const one = runContainer('one', 'dead');
  const two = runContainer('two', 'dead');
  const address = networks.endpointsOfContainer(two.id)[0]!.ipv4!.address;
  const ask = (wanted: string) => askUntil(wanted, { path: one.namespacePath, close() {} }, address, 80);
  assert.match(await ask(`two ${networks.endpointsOfContainer(one.id)[0]!.ipv4!.address}`), /^two /);
  using socket = new NetlinkSocket();
  const [before] = networks.endpointsOfContainer(one.id);
  deleteLink(socket, parent!.linkName);
  networks.close();
  reopen();
  networks.reconcile([
    { containerId: one.id, namespacePath: one.namespacePath },
    { containerId: two.id, namespacePath: two.namespacePath },
  ]);
  assert.match(await ask(`two ${before!.ipv4!.address}`), /^two /);
  assert.equal(networks.endpointsOfContainer(one.id)[0]!.interfaceName, before!.interfaceName);
  // Somebody shares its network and runs on: the address is on no wire any more, also in a namespace that is kept.
  networks.release(one.id, [one.namespacePath, two.namespacePath]);
  assert.deepEqual(networks.statistics(one.namespacePath), []);
  assert.equal(networks.statistics(two.namespacePath).length, 1);
  networks.close();
  reopen();
  networks.reconcile([], () => [two.namespacePath]);
  assert.deepEqual(networks.statistics(two.namespacePath), []);
  networks.close();
  const database = Database.open(join(directory, 'state.db'));
  database.prepare('delete from network_networks where id = ?').run(id);
  database.close();
  assert.notEqual(findLink(socket, parent!.linkName), undefined);
  reopen();
  assert.equal(findLink(socket, parent!.linkName), undefined);
});

test('what was left behind by a daemon that was killed is removed', async () => {
  reopen();
  const network = networks.create({ name: 'app' });
  const dead = runContainer('dead', 'app', published);
  const kept = runContainer('kept', 'app');
  const stray = makeNamespace();
  const halfway = networks.allocate({
    containerId: 'f'.repeat(64),
    containerName: 'halfway',
    network: 'app',
  });
  networks.close();
  reopen();
  networks.reconcile([{ containerId: kept.id, namespacePath: kept.namespacePath }]);
  stray.close();
  assert.deepEqual(
    networks.endpointsOf(network).map(endpoint => endpoint.containerName),
    ['kept'],
  );
  assert.deepEqual(networks.publishedPorts(dead.id), []);
  assert.equal(await askTcp(undefined, '127.0.0.1', 8080), 'ECONNREFUSED');
  using socket = new NetlinkSocket();
  assert.equal(
    listLinks(socket).filter(link => link.kind === 'veth' && link.name.startsWith('veth')).length,
    1,
  );
  assert.equal(findLink(socket, halfway.hostLinkName), undefined);
});

test('lost links and bridges come back', async () => {
  reopen();
  const a = runContainer('a', 'bridge', published);
  networks.close();
  using socket = new NetlinkSocket();
  deleteLink(socket, 'gantry0');
  reopen();
  networks.reconcile([{ containerId: a.id, namespacePath: a.namespacePath }]);
  assert.match(await askTcp(undefined, '127.0.0.1', 8080), /^a /);
  deleteLink(socket, networks.endpointsOfContainer(a.id)[0]!.hostLinkName);
  networks.reconcile([{ containerId: a.id, namespacePath: a.namespacePath }]);
  assert.match(await askTcp(undefined, '127.0.0.1', 8080), /^a /);
});

describe('the firewall is put back', () => {
  for (const damage of [
    'flush ruleset',
    'flush chain inet gantry inbound',
    'flush map inet gantry anyports4',
  ]) {
    test(`after ${damage}`, async () => {
      reopen();
      const a = runContainer('a', 'bridge', published);
      assert.equal(networks.verify(), false, 'nothing to do');
      nft.run(damage);
      // The daemon's own socket answers meanwhile.
      assert.match(await askTcp(undefined, '127.0.0.1', 8080), /^a /);
      assert.equal(networks.verify(), true);
      assert.equal(networks.verify(), false);
      assert.equal(await askTcp(neighbour, hostAddress, 8080), 'a 192.0.2.9');
      assert.equal(
        await askTcp(neighbour, networks.endpointsOfContainer(a.id)[0]!.ipv4!.address, 80),
        'timeout',
      );
    });
  }

  test('by the next change when nobody verified', async () => {
    reopen();
    runContainer('a', 'bridge', published);
    nft.run('flush ruleset');
    const b = runContainer('b', 'bridge', [{ containerPort: 80, protocol: 'tcp', hostPort: '8081' }]);
    assert.equal(await askTcp(neighbour, hostAddress, 8080), 'a 192.0.2.9');
    assert.equal(await askTcp(neighbour, hostAddress, 8081), 'b 192.0.2.9');
    nft.run('flush ruleset');
    networks.release(b.id);
    assert.equal(await askTcp(neighbour, hostAddress, 8080), 'a 192.0.2.9');
  });
});

for (const program of ['/usr/sbin/iptables-nft', '/usr/sbin/iptables-legacy']) {
  describe(`beside a firewall that drops what is forwarded, by ${program}`, () => {
    const run = (...args: string[]) => execFileSync(program, ['-w', ...args], { encoding: 'utf8' });
    afterEach(() => {
      run('-P', 'FORWARD', 'ACCEPT');
      run('-F', 'FORWARD');
      // Not there in every test.
      for (const flag of ['-F', '-X']) if (run('-S').includes('-N DOCKER-USER')) run(flag, 'DOCKER-USER');
    });

    test('such as dockerd s, our bridges forward', async () => {
      run('-P', 'FORWARD', 'DROP');
      run('-N', 'DOCKER-USER');
      run('-A', 'DOCKER-USER', '-j', 'RETURN');
      run('-A', 'FORWARD', '-j', 'DOCKER-USER');
      reopen();
      networks.create({ name: 'app' });
      runContainer('a', 'app', published);
      assert.equal(await askTcp(neighbour, hostAddress, 8080), 'a 192.0.2.9');
      assert.equal(
        run('-S', 'DOCKER-USER')
          .split('\n')
          .filter(line => line.includes('ACCEPT')).length,
        4,
      );
      assert.doesNotMatch(run('-S', 'FORWARD'), /ACCEPT/);
      networks.dismantle();
      assert.equal(run('-S', 'DOCKER-USER'), '-N DOCKER-USER\n-A DOCKER-USER -j RETURN\n');
    });

    test('such as ufw s, also when it comes later', async () => {
      reopen();
      runContainer('a', 'bridge', published);
      run('-P', 'FORWARD', 'DROP');
      networks.verify();
      assert.equal(await askTcp(neighbour, hostAddress, 8080), 'a 192.0.2.9');
      networks.verify();
      assert.equal(
        run('-S', 'FORWARD')
          .split('\n')
          .filter(line => line.includes('ACCEPT')).length,
        2,
      );
    });
  });
}

test('counters are read from inside', async () => {
  reopen();
  const a = runContainer('a', 'bridge');
  await askTcp(undefined, networks.endpointsOfContainer(a.id)[0]!.ipv4!.address, 80);
  const [eth0, ...others] = networks.statistics(a.namespacePath);
  assert.deepEqual([eth0!.name, others], ['eth0', []]);
  assert.ok(eth0!.rxPackets > 0 && eth0!.txBytes > 0);
});

test('a veth that cannot be set up inside leaves nothing', () => {
  reopen();
  const namespace = makeNamespace();
  closing.push(namespace.close);
  withNetworkNamespace(namespace.path, () => {
    using socket = new NetlinkSocket();
    const fd = openNamespaceOf(namespace);
    addVeth(socket, { name: 'eth0', peer: { name: 'other', namespaceFd: fd } });
  });
  const before = world();
  const endpoint = networks.allocate({ containerId: 'e'.repeat(64), containerName: 'e', network: 'bridge' });
  assert.throws(
    () => networks.connect(endpoint, namespace.path, { interfaceName: 'eth0' }),
    /connecting e to network bridge: /,
  );
  networks.releaseEndpoint(endpoint);
  assert.deepEqual(world(), before);
});

function openNamespaceOf(namespace: Namespace): number {
  return Number(namespace.path.split('/').at(-1));
}
