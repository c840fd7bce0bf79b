import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openInetSocket } from '../../src/linux/inet-socket.ts';
import { withNetworkNamespace } from '../../src/linux/namespaces.ts';
import { listLinks } from '../../src/linux/netlink/links.ts';
import { NetlinkSocket } from '../../src/linux/netlink/socket.ts';
import { listQueueingDisciplines } from '../../src/linux/netlink/traffic.ts';
import { NetworkController } from '../../src/network/controller.ts';
import type { Bandwidth, Endpoint } from '../../src/network/network.ts';
import { parseIp } from '../../src/stdx/ip.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { Database } from '../../src/storage/database.ts';
import { enterPrivateHost, makeNamespace, type Namespace } from '../support/network-world.ts';

const directory = mkdtempSync(join(tmpdir(), 'gantry-bandwidth-'));
const limit: Bandwidth = { upBitsPerSecond: 8_000_000, downBitsPerSecond: 16_000_000 };
let networks: NetworkController;
let count = 0;

function openNetworks(): NetworkController {
  return NetworkController.open({
    database: Database.open(join(directory, 'state.db')),
    log: silentLog,
    config: { resolvConfPath: '/dev/null' },
  });
}

function runContainer(bandwidth?: Bandwidth): { id: string; namespace: Namespace; endpoint: Endpoint } {
  const id = (++count).toString(16).padStart(64, '0');
  const namespace = makeNamespace();
  const reserved = networks.allocate({
    containerId: id,
    containerName: `c${count}`,
    network: 'bridge',
    bandwidth,
  });
  return { id, namespace, endpoint: networks.connect(reserved, namespace.path) };
}

/** `tbf 1000000` and the like of the links whose name begins so, and what else they have. */
function limitsOf(name: string): string[] {
  using socket = new NetlinkSocket();
  const links = new Map(listLinks(socket).map(link => [link.index, link.name]));
  return listQueueingDisciplines(socket)
    .filter(({ linkIndex, kind }) => links.get(linkIndex) === name && kind !== 'noqueue')
    .map(({ kind, rateBytesPerSecond }) => [kind, rateBytesPerSecond].filter(Boolean).join(' '));
}

function linkNames(): string[] {
  using socket = new NetlinkSocket();
  return listLinks(socket).map(({ name }) => name);
}

function ifbOf(endpoint: Endpoint): string {
  return endpoint.hostLinkName.replace('veth', 'ifb');
}

describe('bandwidth of an endpoint', () => {
  before(() => {
    enterPrivateHost();
    networks = openNetworks();
  });
  after(() => {
    networks.dismantle();
    networks.close();
    rmSync(directory, { recursive: true });
  });

  test('is held by queues on the host, changed at once, and gone with it', () => {
    const before = linkNames();
    const { id, namespace, endpoint } = runContainer(limit);
    assert.deepEqual(limitsOf(endpoint.hostLinkName), ['tbf 2000000', 'ingress']);
    assert.deepEqual(limitsOf(ifbOf(endpoint)), ['tbf 1000000']);
    networks.limitBandwidth(id, { upBitsPerSecond: 0, downBitsPerSecond: 80_000_000_000 });
    assert.deepEqual(limitsOf(endpoint.hostLinkName), ['tbf 10000000000']);
    assert.ok(!linkNames().includes(ifbOf(endpoint)));
    networks.limitBandwidth(id, { upBitsPerSecond: 64_000, downBitsPerSecond: 0 });
    assert.deepEqual(limitsOf(endpoint.hostLinkName), ['ingress']);
    assert.deepEqual(limitsOf(ifbOf(endpoint)), ['tbf 8000']);
    networks.disconnect(networks.endpointsOfContainer(id)[0]!, namespace.path);
    assert.deepEqual(linkNames(), before);
    const [again] = networks.endpointsOfContainer(id);
    networks.connect(again!, namespace.path);
    assert.deepEqual(limitsOf(ifbOf(endpoint)), ['tbf 8000']);
    networks.disconnect(networks.endpointsOfContainer(id)[0]!);
    networks.release(id);
    namespace.close();
    assert.deepEqual(linkNames(), before);
  });

  test('stays when the daemon goes, and what nobody owns does not', () => {
    const before = linkNames();
    const kept = runContainer(limit);
    const lost = runContainer(limit);
    networks.close();
    networks = openNetworks();
    networks.reconcile([{ containerId: kept.id, namespacePath: kept.namespace.path, resolver: undefined }]);
    assert.deepEqual(limitsOf(kept.endpoint.hostLinkName), ['tbf 2000000', 'ingress']);
    assert.deepEqual(limitsOf(ifbOf(kept.endpoint)), ['tbf 1000000']);
    assert.ok(!linkNames().includes(ifbOf(lost.endpoint)));
    networks.disconnect(networks.endpointsOfContainer(kept.id)[0]!);
    networks.release(kept.id);
    kept.namespace.close();
    lost.namespace.close();
    networks.reconcile([]);
    assert.deepEqual(linkNames(), before);
  });

  test('is what a transfer gets, in both directions', async () => {
    const free = runContainer();
    const limited = runContainer({ upBitsPerSecond: 8_000_000, downBitsPerSecond: 8_000_000 });
    const bytes = 1_000_000;
    const hindered = await secondsFor(limited, bytes);
    // A million bytes at a million a second: the bucket lets through the first few of them at once.
    assert.ok(hindered.up > 0.7 && hindered.down > 0.7, JSON.stringify(hindered));
    // A machine that is busy with something else may be slow without any limit, but not every time.
    let unhindered = await secondsFor(free, bytes);
    const much = () => hindered.up > 3 * unhindered.up && hindered.down > 3 * unhindered.down;
    for (let attempt = 0; !much() && attempt < 50; attempt++) unhindered = await secondsFor(free, bytes);
    assert.ok(much(), `${JSON.stringify(unhindered)} without a limit, ${JSON.stringify(hindered)} with it`);
    for (const { id, endpoint, namespace } of [free, limited]) {
      networks.disconnect(endpoint);
      networks.release(id);
      namespace.close();
    }
  });
});

/** How long a container takes to send the host so much, and to get it from there. */
async function secondsFor(
  { namespace, endpoint }: { namespace: Namespace; endpoint: Endpoint },
  bytes: number,
): Promise<{ up: number; down: number }> {
  const address = parseIp(endpoint.ipv4!.address)!;
  const fd = withNetworkNamespace(namespace.path, () =>
    openInetSocket({ protocol: 'tcp', address, port: 80 }),
  );
  const received = Promise.withResolvers<void>();
  let count = 0;
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    socket.on('data', chunk => {
      count += chunk.length;
      if (count === bytes) received.resolve();
    });
    socket.on('end', () => socket.end(Buffer.alloc(bytes)));
  });
  server.listen({ fd });
  try {
    const client = net.connect({ host: endpoint.ipv4!.address, port: 80, allowHalfOpen: true });
    const begun = performance.now();
    client.end(Buffer.alloc(bytes));
    await received.promise;
    const sent = performance.now();
    client.resume();
    await new Promise(resolve => client.once('end', resolve));
    return { down: (sent - begun) / 1000, up: (performance.now() - sent) / 1000 };
  } finally {
    server.close();
  }
}
