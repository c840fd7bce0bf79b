import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
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

  test('holds back what is more, in both directions', async () => {
    const { id, namespace, endpoint } = runContainer({
      upBitsPerSecond: 1_000_000,
      downBitsPerSecond: 1_000_000,
    });
    const bytes = 100_000;
    await transfer({ namespace, endpoint }, bytes);
    for (const link of [endpoint.hostLinkName, ifbOf(endpoint)]) {
      const bucket = bucketOf(link);
      assert.ok(bucket.bytes > bytes, `${bucket.bytes} bytes went through the queue of ${link}`);
      assert.ok(bucket.overlimits > 0, `nothing had to wait at ${link}`);
    }
    networks.disconnect(endpoint);
    networks.release(id);
    namespace.close();
  });
});

/** The kernel's counters of a link's token bucket: what went through, and how often something had to wait. */
function bucketOf(link: string): { bytes: number; overlimits: number } {
  const output = execFileSync('tc', ['-s', '-j', 'qdisc', 'show', 'dev', link]).toString();
  const queues = JSON.parse(output) as { kind: string; bytes: number; overlimits: number }[];
  const bucket = queues.find(({ kind }) => kind === 'tbf');
  assert.ok(bucket, output);
  return bucket;
}

/** The host sends the container so much, and then the container the host. */
async function transfer(
  { namespace, endpoint }: { namespace: Namespace; endpoint: Endpoint },
  bytes: number,
): Promise<void> {
  const address = parseIp(endpoint.ipv4!.address)!;
  const fd = withNetworkNamespace(namespace.path, () =>
    openInetSocket({ protocol: 'tcp', address, port: 80 }),
  );
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    socket.resume().on('end', () => socket.end(Buffer.alloc(bytes)));
  });
  server.listen({ fd });
  try {
    const client = net.connect({ host: endpoint.ipv4!.address, port: 80, allowHalfOpen: true });
    client.resume().end(Buffer.alloc(bytes));
    await once(client, 'end');
  } finally {
    server.close();
  }
}
