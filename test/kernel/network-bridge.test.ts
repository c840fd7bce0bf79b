import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { withNetworkNamespace } from '../../src/linux/namespaces.ts';
import { addAddress, listAddresses } from '../../src/linux/netlink/addresses.ts';
import { findLink } from '../../src/linux/netlink/links.ts';
import { listRoutes } from '../../src/linux/netlink/routes.ts';
import { NetlinkSocket } from '../../src/linux/netlink/socket.ts';
import { NetworkController } from '../../src/network/controller.ts';
import type { Endpoint, EndpointOptions, PortRequest } from '../../src/network/network.ts';
import { formatIp, parseIp } from '../../src/stdx/ip.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { Database } from '../../src/storage/database.ts';
import {
  askTcp,
  askUdp,
  askUntil,
  enterPrivateHost,
  makeNamespace,
  type Namespace,
  plugNeighbour,
  serveTcp,
  serveUdp,
} from '../support/network-world.ts';

/** A host with a LAN, a daemon's networks, and containers that are namespaces with a server on port 80. */
const hostAddress = '192.0.2.1';
const directory = mkdtempSync(join(tmpdir(), 'gantry-network-'));
let networks: NetworkController;
let neighbour: Namespace;
const closing: (() => void)[] = [];

interface Container {
  id: string;
  namespace: Namespace;
  endpoints: Endpoint[];
}

function openNetworks(): NetworkController {
  return NetworkController.open({
    database: Database.open(join(directory, 'state.db')),
    log: silentLog,
    config: { resolvConfPath: '/dev/null' },
  });
}

let count = 0;

function runContainer(name: string, on: string[], ports: PortRequest[] = []): Container {
  const id = (++count).toString(16).padStart(64, '0');
  const namespace = makeNamespace();
  const endpoints = on.map(network => networks.allocate({ containerId: id, containerName: name, network }));
  const connected = endpoints.map(endpoint => networks.connect(endpoint, namespace.path));
  networks.publish(id, ports);
  const servers = [serveTcp(namespace, 80, name), serveUdp(namespace, 80, name)];
  closing.push(...servers.map(server => () => server.close()), namespace.close);
  return { id, namespace, endpoints: connected };
}

function ipv4(container: Container, index = 0): string {
  return container.endpoints[index]!.ipv4!.address;
}

before(() => {
  enterPrivateHost();
  neighbour = plugNeighbour([
    { host: `${hostAddress}/24`, neighbour: '192.0.2.9/24' },
    { host: '2001:db8:9::1/64', neighbour: '2001:db8:9::9/64' },
  ]);
  const server = serveTcp(neighbour, 7777, 'neighbour');
  closing.push(() => server.close());
  networks = openNetworks();
});

after(() => {
  for (const close of closing) close();
  networks.close();
  neighbour.close();
  rmSync(directory, { recursive: true });
});

describe('the default bridge', () => {
  test('containers reach each other, the host and the LAN', async () => {
    const a = runContainer('a', ['bridge']);
    const b = runContainer('b', ['bridge']);
    assert.equal(await askTcp(a.namespace, ipv4(b), 80), `b ${ipv4(a)}`);
    assert.equal(await askUdp(a.namespace, ipv4(b), 80), 'b');
    assert.equal(await askTcp(undefined, ipv4(a), 80), 'a 172.17.0.1');
    // The LAN sees the host's address, not the container's.
    assert.equal(await askTcp(a.namespace, '192.0.2.9', 7777), `neighbour ${hostAddress}`);
  });

  test('a container is closed to the LAN unless it publishes a port', async () => {
    const c = runContainer('c', ['bridge']);
    assert.equal(await askTcp(neighbour, ipv4(c), 80), 'timeout');
  });
});

describe('published ports', () => {
  test('answer on every address of the host, from everywhere', async () => {
    const web = runContainer('web', ['bridge'], [{ containerPort: 80, protocol: 'tcp', hostPort: '8080' }]);
    const sibling = runContainer('sibling', ['bridge']);
    networks.create({ name: 'elsewhere' });
    const stranger = runContainer('stranger', ['elsewhere']);
    for (const address of ['127.0.0.1', hostAddress, '172.17.0.1', '::1', '2001:db8:9::1']) {
      assert.match(await askTcp(undefined, address, 8080), /^web /, `host to ${address}`);
    }
    for (const address of [hostAddress, '2001:db8:9::1']) {
      assert.match(await askTcp(neighbour, address, 8080), /^web /, `neighbour to ${address}`);
    }
    assert.equal(await askTcp(neighbour, hostAddress, 8080), 'web 192.0.2.9', 'the true client is seen');
    for (const address of [hostAddress, '172.17.0.1']) {
      assert.match(await askTcp(sibling.namespace, address, 8080), /^web /, `sibling to ${address}`);
      assert.match(await askTcp(web.namespace, address, 8080), /^web /, `itself to ${address}`);
      assert.match(await askTcp(stranger.namespace, address, 8080), /^web /, `another network to ${address}`);
    }
    assert.equal(await askTcp(neighbour, ipv4(web), 80), 'timeout', 'still closed by its own address');
    networks.release(web.id);
    assert.equal(await askTcp(undefined, '127.0.0.1', 8080), 'ECONNREFUSED');
    assert.equal(await askTcp(neighbour, hostAddress, 8080), 'ECONNREFUSED');
    networks.release(stranger.id);
    await networks.remove('elsewhere');
  });

  test('on 127.0.0.1 are for this host alone', async () => {
    const local = runContainer(
      'local',
      ['bridge'],
      [{ containerPort: 80, protocol: 'tcp', hostIp: '127.0.0.1', hostPort: '8081' }],
    );
    const sibling = runContainer('sibling', ['bridge']);
    assert.match(await askTcp(undefined, '127.0.0.1', 8081), /^local /);
    assert.equal(await askTcp(neighbour, hostAddress, 8081), 'ECONNREFUSED');
    assert.equal(await askTcp(neighbour, '127.0.0.1', 8081), 'ECONNREFUSED');
    assert.equal(await askTcp(sibling.namespace, '172.17.0.1', 8081), 'ECONNREFUSED');
    networks.release(local.id);
  });

  test('work for udp', async () => {
    const dns = runContainer('dns', ['bridge'], [{ containerPort: 80, protocol: 'udp', hostPort: '5300' }]);
    for (const address of ['127.0.0.1', hostAddress, '::1']) {
      assert.equal(await askUdp(undefined, address, 5300), 'dns', address);
    }
    assert.equal(await askUdp(neighbour, hostAddress, 5300), 'dns');
    networks.release(dns.id);
  });

  test('that are taken are refused in words of Docker, and nothing is left of the attempt', async () => {
    const first = runContainer(
      'first',
      ['bridge'],
      [{ containerPort: 80, protocol: 'tcp', hostPort: '8090' }],
    );
    assert.throws(
      () =>
        runContainer(
          'second',
          ['bridge'],
          [
            { containerPort: 80, protocol: 'tcp', hostPort: '8091' },
            { containerPort: 80, protocol: 'tcp', hostPort: '8090' },
          ],
        ),
      /^EngineError: driver failed programming external connectivity on endpoint second \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8090 failed: port is already allocated$/,
    );
    assert.equal(await askTcp(undefined, '127.0.0.1', 8091), 'ECONNREFUSED');
    const process = serveTcp(undefined, 8092, 'a process');
    assert.throws(
      () => runContainer('third', ['bridge'], [{ containerPort: 80, protocol: 'tcp', hostPort: '8092' }]),
      /: Error starting userland proxy: listen tcp4 0\.0\.0\.0:8092: bind: address already in use$/,
    );
    process.close();
    networks.release(first.id);
    const again = runContainer(
      'again',
      ['bridge'],
      [{ containerPort: 80, protocol: 'tcp', hostPort: '8090-8092' }],
    );
    assert.deepEqual(
      networks.publishedPorts(again.id).map(port => `${port.hostIp} ${port.hostPort}`),
      ['0.0.0.0 8090', ':: 8090'],
    );
    networks.release(again.id);
  });

  test('can be any free one', async () => {
    const ports: PortRequest[] = [1, 2, 3].map(() => ({ containerPort: 80, protocol: 'tcp' }));
    const any = runContainer('any', ['bridge'], ports);
    const chosen = networks.publishedPorts(any.id).filter(port => port.hostIp === '0.0.0.0');
    assert.equal(new Set(chosen.map(port => port.hostPort)).size, 3);
    for (const { hostPort } of chosen) assert.match(await askTcp(undefined, hostAddress, hostPort), /^any /);
    networks.release(any.id);
  });
});

describe('networks of users', () => {
  test('are isolated from each other', async () => {
    networks.create({ name: 'one' });
    networks.create({ name: 'two' });
    const a = runContainer('a', ['one']);
    const b = runContainer('b', ['two']);
    const both = runContainer('both', ['one', 'two']);
    assert.equal(await askTcp(a.namespace, ipv4(b), 80), 'timeout');
    assert.match(await askTcp(a.namespace, ipv4(both, 0), 80), /^both /);
    assert.match(await askTcp(b.namespace, ipv4(both, 1), 80), /^both /);
    assert.equal(await askTcp(a.namespace, '192.0.2.9', 7777), `neighbour ${hostAddress}`);
  });

  test('that are internal reach nothing outside', async () => {
    networks.create({ name: 'inner', internal: true });
    const a = runContainer('a', ['inner']);
    const b = runContainer('b', ['inner']);
    const outside = runContainer(
      'outside',
      ['bridge'],
      [{ containerPort: 80, protocol: 'tcp', hostPort: '8095' }],
    );
    assert.match(await askTcp(a.namespace, ipv4(b), 80), /^b /);
    assert.notEqual(await askTcp(a.namespace, '192.0.2.9', 7777), `neighbour ${hostAddress}`);
    assert.equal(await askTcp(a.namespace, ipv4(outside), 80), 'ENETUNREACH');
    assert.equal(await askTcp(neighbour, ipv4(a), 80), 'timeout');
    networks.release(outside.id);
  });

  test('with inter-container traffic off keep their containers apart', async () => {
    networks.create({ name: 'apart', options: { 'com.docker.network.bridge.enable_icc': 'false' } });
    const a = runContainer('a', ['apart']);
    const b = runContainer('b', ['apart'], [{ containerPort: 80, protocol: 'tcp', hostPort: '8096' }]);
    assert.notEqual(await askTcp(a.namespace, ipv4(b), 80), `b ${ipv4(a)}`);
    assert.equal(await askTcp(a.namespace, '192.0.2.9', 7777), `neighbour ${hostAddress}`);
    assert.match(await askTcp(a.namespace, hostAddress, 8096), /^b /);
    networks.release(b.id);
  });

  test('with IPv6 are published on it too', async () => {
    networks.create({ name: 'six', enableIPv6: true, ipam: { pools: [{ subnet: '2001:db8:5::/64' }] } });
    const a = runContainer('a', ['six'], [{ containerPort: 80, protocol: 'tcp', hostPort: '8097' }]);
    const b = runContainer('b', ['six']);
    const address = a.endpoints[0]!.ipv6!.address;
    assert.match(await askTcp(b.namespace, address, 80), /^a /);
    assert.match(await askTcp(undefined, '::1', 8097), /^a /);
    assert.equal(await askTcp(neighbour, '2001:db8:9::1', 8097), 'a 2001:db8:9::9');
    assert.equal(await askTcp(neighbour, address, 80), 'timeout');
    assert.match(await askTcp(a.namespace, '2001:db8:9::1', 8097), /^a /);
    assert.equal(await askTcp(b.namespace, '2001:db8:9::9', 7777), 'neighbour 2001:db8:9::1');
    networks.release(a.id);
  });

  test('that are routed are reached at their own addresses, by what is published', async () => {
    networks.create({
      name: 'routed',
      enableIPv6: true,
      options: {
        'com.docker.network.bridge.gateway_mode_ipv4': 'routed',
        'com.docker.network.bridge.gateway_mode_ipv6': 'routed',
      },
    });
    networks.create({ name: 'stranger', enableIPv6: true });
    networks.create({ name: 'half', options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'routed' } });
    const half = runContainer('half', ['half'], [{ containerPort: 80, protocol: 'tcp', hostPort: '8100' }]);
    assert.deepEqual(
      networks.publishedPorts(half.id).map(({ hostIp, hostPort }) => `${hostIp} ${hostPort}`),
      ['0.0.0.0 0', ':: 8100'],
    );
    networks.release(half.id);
    const a = runContainer('a', ['routed'], [{ containerPort: 80, protocol: 'tcp', hostPort: '8099' }]);
    const closed = runContainer('closed', ['routed']);
    const stranger = runContainer('stranger', ['stranger']);
    const ipv6 = a.endpoints[0]!.ipv6!.address;
    assert.deepEqual(
      networks.publishedPorts(a.id).map(({ hostIp, hostPort, openAt }) => [hostIp, hostPort, openAt]),
      [
        ['0.0.0.0', 0, ipv4(a)],
        ['::', 0, ipv6],
      ],
    );
    assert.equal(await askUntil('a 192.0.2.9', neighbour, ipv4(a), 80), 'a 192.0.2.9');
    assert.equal(await askUntil('a 2001:db8:9::9', neighbour, ipv6, 80), 'a 2001:db8:9::9');
    const seen = `a ${ipv4(stranger)}`;
    assert.equal(await askUntil(seen, stranger.namespace, ipv4(a), 80), seen);
    assert.equal(await askTcp(neighbour, ipv4(closed), 80), 'timeout');
    assert.equal(await askTcp(undefined, '127.0.0.1', 8099), 'ECONNREFUSED');
    const untranslated = `neighbour ${ipv4(a)}`;
    assert.equal(await askUntil(untranslated, a.namespace, '192.0.2.9', 7777), untranslated);
    networks.unpublish(a.id);
    assert.equal(await askTcp(neighbour, ipv4(a), 80), 'timeout');
    networks.publish(a.id, [{ containerPort: 80, protocol: 'tcp' }]);
    networks.close();
    networks = openNetworks();
    assert.equal(await askUntil('a 192.0.2.9', neighbour, ipv4(a), 80), 'a 192.0.2.9');
    const { id: containerId } = a;
    const wayOut = { containerId, containerName: 'a', network: 'stranger', gatewayPriority: 1 };
    const translated = networks.connect(networks.allocate(wayOut), a.namespace.path);
    const [first, second] = networks.publishedPorts(a.id);
    assert.deepEqual([first?.hostIp, second?.hostIp, second?.hostPort], ['0.0.0.0', '::', first?.hostPort]);
    assert.equal(await askUntil('a 192.0.2.9', neighbour, '192.0.2.1', first!.hostPort), 'a 192.0.2.9');
    networks.disconnect(translated, a.namespace.path);
    assert.deepEqual(
      networks.publishedPorts(a.id).map(({ hostPort, openAt }) => [hostPort, openAt]),
      [
        [0, ipv4(a)],
        [0, ipv6],
      ],
    );
    networks.release(a.id);
    assert.deepEqual(networks.publishedPorts(a.id), []);
  });

  test('are seen by an address of the host that was chosen', async () => {
    using socket = new NetlinkSocket();
    const { index } = findLink(socket, 'lan0')!;
    addAddress(socket, { linkIndex: index, address: parseIp('192.0.2.5')!, prefixLength: 24 });
    networks.create({ name: 'seen', options: { 'com.docker.network.host_ipv4': '192.0.2.5' } });
    const a = runContainer('a', ['seen']);
    const chosen = 'neighbour 192.0.2.5';
    assert.equal(await askUntil(chosen, a.namespace, '192.0.2.9', 7777), chosen);
  });

  test('give a place its own interface name, settings and further addresses', () => {
    networks.create({
      name: 'placed',
      options: { 'com.docker.network.container_iface_prefix': 'web' },
      ipam: {
        pools: [{ subnet: '10.77.0.0/24', auxAddresses: { DefaultGatewayIPv4: '10.77.0.99' } }],
      },
    });
    networks.create({ name: 'six-only', enableIPv4: false, enableIPv6: true });
    const namespace = makeNamespace();
    closing.push(namespace.close);
    const containerId = 'c'.repeat(64);
    const place = (network: string, more: Partial<EndpointOptions> = {}) =>
      networks.connect(
        networks.allocate({ containerId, containerName: 'placed', network, ...more }),
        namespace.path,
      );
    assert.equal(place('placed', { linkLocalIps: ['169.254.7.7'] }).interfaceName, 'web0');
    const named = place('bridge', {
      driverOptions: {
        'com.docker.network.endpoint.ifname': 'uplink',
        'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1',
      },
    });
    assert.equal(named.interfaceName, 'uplink');
    assert.equal(place('six-only').ipv4, undefined);
    const found = withNetworkNamespace(namespace.path, () => {
      using socket = new NetlinkSocket();
      return {
        addresses: listAddresses(socket).map(({ address }) => formatIp(address)),
        // By the network whose name comes first, for each family.
        gateways: listRoutes(socket).flatMap(({ gateway }) =>
          gateway === undefined ? [] : formatIp(gateway),
        ),
        martians: readFileSync('/proc/sys/net/ipv4/conf/uplink/log_martians', 'utf8').trim(),
      };
    });
    assert.ok(found.addresses.includes('169.254.7.7'));
    const six = networks.get('six-only').ipam.pools;
    assert.equal(six.length, 1);
    assert.deepEqual(found.gateways, ['172.17.0.1', six[0]!.gateway]);
    assert.equal(found.martians, '1');
    networks.disconnect(named, namespace.path);
    networks.releaseEndpoint(named);
    withNetworkNamespace(namespace.path, () => {
      using socket = new NetlinkSocket();
      const [route] = listRoutes(socket).filter(({ gateway }) => gateway?.family === 4);
      assert.equal(formatIp(route!.gateway!), '10.77.0.99');
    });
    networks.release(containerId);
  });

  test('move a container s way out with it', async () => {
    networks.create({ name: 'left' });
    networks.create({ name: 'right' });
    const moving = runContainer(
      'moving',
      ['left'],
      [{ containerPort: 80, protocol: 'tcp', hostPort: '8098' }],
    );
    const second = networks.allocate({ containerId: moving.id, containerName: 'moving', network: 'right' });
    const connected = networks.connect(second, moving.namespace.path);
    assert.equal(connected.interfaceName, 'eth1');
    networks.disconnect(moving.endpoints[0]!, moving.namespace.path);
    networks.releaseEndpoint(moving.endpoints[0]!);
    assert.equal(await askTcp(moving.namespace, '192.0.2.9', 7777), `neighbour ${hostAddress}`);
    for (const address of ['127.0.0.1', '::1', hostAddress]) {
      assert.match(await askTcp(undefined, address, 8098), /^moving /, address);
    }
    networks.release(moving.id);
  });
});
