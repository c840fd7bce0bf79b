import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { closeSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Answer, decode, encode, type Packet } from 'dns-packet';
import { openInetSocket } from '../../src/linux/inet-socket.ts';
import { withNetworkNamespace } from '../../src/linux/namespaces.ts';
import { NetworkController } from '../../src/network/controller.ts';
import type { ResolverOptions } from '../../src/network/network.ts';
import { parseIp } from '../../src/stdx/ip.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { Database } from '../../src/storage/database.ts';
import { connectFrom, enterPrivateHost, makeNamespace, type Namespace } from '../support/network-world.ts';

const directory = mkdtempSync(join(tmpdir(), 'gantry-dns-'));
const resolvConfPath = join(directory, 'resolv.conf');
let networks: NetworkController;
let upstream: { asked: string[]; close(): void };
const closing: (() => void)[] = [];

before(() => {
  enterPrivateHost();
  writeFileSync(resolvConfPath, 'nameserver 127.0.0.53\nnameserver 127.0.0.1\n');
  upstream = startUpstream();
  networks = openNetworks();
  networks.create({ name: 'app' });
  networks.create({ name: 'other' });
  networks.create({ name: 'inner', internal: true });
});

after(() => {
  upstream.close();
  networks.close();
  for (const close of closing) close();
  rmSync(directory, { recursive: true });
});

function openNetworks(): NetworkController {
  const database = Database.open(join(directory, 'state.db'));
  return NetworkController.open({ database, log: silentLog, config: { resolvConfPath } });
}

/** A name server of the host at 127.0.0.1, by UDP and TCP; the first one in resolv.conf does not answer. */
function startUpstream(): typeof upstream {
  const asked: string[] = [];
  const answer = (message: Buffer): Buffer => {
    const query = decode(message);
    const [question] = query.questions!;
    asked.push(question!.name);
    const answers = question!.name === 'many.example' ? 60 : 1;
    const packet: Packet = {
      id: query.id,
      type: 'response',
      questions: query.questions,
      answers: Array.from({ length: answers }, (_, index) => ({
        name: question!.name,
        type: 'A',
        ttl: 5,
        data: `198.51.100.${index}`,
      })),
    };
    return encode(packet);
  };
  const udp = dgram.createSocket('udp4');
  udp.on('message', (message, from) => udp.send(answer(message), from.port, from.address));
  udp.bind({ fd: openInetSocket({ protocol: 'udp', address: parseIp('127.0.0.1')!, port: 53 }) });
  const tcp = net.createServer(socket =>
    socket.on('data', (data: Buffer) => socket.end(framed(answer(data.subarray(2))))),
  );
  tcp.listen({ fd: openInetSocket({ protocol: 'tcp', address: parseIp('127.0.0.1')!, port: 53 }) });
  return {
    asked,
    close() {
      udp.close();
      tcp.close();
    },
  };
}

let count = 0;

const noServers: ResolverOptions = { dns: [], dnsOptions: [] };

function runContainer(
  name: string,
  on: string[],
  aliases: string[] = [],
  resolver: Partial<ResolverOptions> = {},
): { id: string; namespace: Namespace; ipv4: string } {
  const id = (++count).toString(16).padStart(12, 'c').padEnd(64, '0');
  const namespace = makeNamespace();
  const endpoints = on.map(network =>
    networks.allocate({ containerId: id, containerName: name, network, aliases }),
  );
  for (const endpoint of endpoints) networks.connect(endpoint, namespace.path);
  if (networks.needsResolver(id)) networks.startResolver(id, namespace.path, { ...noServers, ...resolver });
  closing.push(namespace.close);
  return { id, namespace, ipv4: endpoints[0]!.ipv4!.address };
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

async function ask(
  from: Namespace,
  name: string,
  type = 'A',
  edns?: number,
): Promise<Packet & { rcode: string; flags: number }> {
  const additionals: Answer[] =
    edns === undefined ? [] : [{ name: '.', type: 'OPT', udpPayloadSize: edns, flags: 0, options: [] }];
  const query = encode({ id: 4711, type: 'query', flags: 0x100, questions: [{ name, type }], additionals });
  return decode(await connectFrom(from, 'udp', '127.0.0.11', 53, query));
}

async function askByTcp(from: Namespace, name: string): Promise<Packet> {
  const query = encode({ id: 4712, type: 'query', flags: 0x100, questions: [{ name, type: 'A' }] });
  return decode((await connectFrom(from, 'tcp', '127.0.0.11', 53, framed(query))).subarray(2));
}

function data(packet: Packet): (string | undefined)[] {
  return packet.answers!.map(answer => answer.data).sort();
}

test('names, aliases, ids and network-scoped names are found, on own networks only', async () => {
  const web = runContainer('web', ['app'], ['www']);
  const db = runContainer('db', ['app', 'other'], ['store']);
  const far = runContainer('far', ['other'], ['store']);
  for (const name of ['db', 'DB', 'store', 'db.app', db.id.slice(0, 12)]) {
    const answer = await ask(web.namespace, name);
    assert.deepEqual([answer.rcode, answer.id, data(answer)], ['NOERROR', 4711, [db.ipv4]], name);
    assert.equal(answer.answers![0]!.ttl, 600);
  }
  assert.deepEqual(data(await ask(web.namespace, 'web')), [web.ipv4], 'itself');
  assert.deepEqual(data(await askByTcp(web.namespace, 'www')), [web.ipv4]);
  // Both services on `other`; on `app` there is one.
  assert.equal(data(await ask(far.namespace, 'store')).length, 2);
  assert.deepEqual(data(await ask(web.namespace, 'store')), [db.ipv4]);
  assert.notDeepEqual(data(await ask(web.namespace, 'far')), [far.ipv4]);
  networks.rename(db.id, 'database');
  assert.deepEqual(data(await ask(web.namespace, 'database')), [db.ipv4]);
});

test('a name without IPv6 addresses exists without them', async () => {
  const one = runContainer('one', ['app']);
  upstream.asked.length = 0;
  for (const type of ['AAAA', 'MX', 'TXT']) {
    const answer = await ask(one.namespace, 'one', type);
    assert.deepEqual([answer.rcode, answer.answers], ['NOERROR', []], type);
  }
  assert.deepEqual(upstream.asked, []);
});

test('addresses have names', async () => {
  const two = runContainer('two', ['app']);
  const reverse = `${two.ipv4.split('.').reverse().join('.')}.in-addr.arpa`;
  assert.deepEqual(data(await ask(two.namespace, reverse, 'PTR')), ['two.app']);
});

test('other names are asked of the host s servers, in the host s network, by UDP and TCP', async () => {
  const three = runContainer('three', ['app']);
  assert.deepEqual(data(await ask(three.namespace, 'example.org')), ['198.51.100.0']);
  assert.deepEqual(data(await askByTcp(three.namespace, 'example.org')), ['198.51.100.0']);
  assert.equal((await ask(three.namespace, 'many.example', 'A', 4096)).answers!.length, 60);
});

test('internal networks ask nobody', async () => {
  const secret = runContainer('secret', ['inner']);
  upstream.asked.length = 0;
  assert.equal((await ask(secret.namespace, 'example.org')).rcode, 'SERVFAIL');
  assert.deepEqual(data(await ask(secret.namespace, 'secret')), [secret.ipv4]);
  assert.deepEqual(upstream.asked, []);
});

test('chosen servers are asked from inside of the container, on internal networks too', async () => {
  for (const network of ['app', 'inner']) {
    const { namespace } = runContainer(`own-${network}`, [network], [], { dns: ['127.0.0.1'] });
    upstream.asked.length = 0;
    assert.equal((await ask(namespace, 'example.org')).rcode, 'SERVFAIL', 'the host s 127.0.0.1 is another');
    assert.deepEqual(upstream.asked, []);
    const own = withNetworkNamespace(namespace.path, startUpstream);
    closing.push(own.close);
    assert.deepEqual(data(await ask(namespace, 'example.org')), ['198.51.100.0']);
    assert.deepEqual(data(await askByTcp(namespace, 'example.org')), ['198.51.100.0']);
    assert.deepEqual([own.asked.length, upstream.asked], [2, []]);
  }
});

test('with ndots, single names are asked of nobody: search domains come first', async () => {
  const dotted = runContainer('dotted', ['app'], [], { dnsOptions: ['ndots:1', 'attempts:1'] });
  upstream.asked.length = 0;
  for (const type of ['A', 'AAAA']) {
    const answer = await ask(dotted.namespace, 'example', type);
    assert.deepEqual([answer.rcode, answer.answers], ['NOERROR', []], type);
  }
  assert.deepEqual(upstream.asked, []);
  assert.deepEqual(data(await ask(dotted.namespace, 'dotted')), [dotted.ipv4]);
  assert.deepEqual(data(await ask(dotted.namespace, 'example.org')), ['198.51.100.0']);
});

test('a container may be a name server itself', () => {
  const server = runContainer('server', ['app']);
  withNetworkNamespace(server.namespace.path, () => {
    for (const protocol of ['udp', 'tcp'] as const) {
      const fd = openInetSocket({ protocol, address: parseIp('0.0.0.0')!, port: 53 });
      closeSync(fd);
    }
  });
});

test('many containers of one name come in one answer, cut when the asker takes little', async () => {
  const first = runContainer('s0', ['app'], ['service']);
  for (let index = 1; index < 40; index++) {
    networks.allocate({
      containerId: `${index}`.padStart(64, 'f'),
      containerName: `s${index}`,
      network: 'app',
      aliases: ['service'],
    });
  }
  // Endpoints count once they are connected.
  assert.equal(data(await ask(first.namespace, 'service')).length, 1);
  for (const endpoint of networks.endpointsOf(networks.get('app')).filter(one => one.interfaceName === '')) {
    const namespace = makeNamespace();
    closing.push(namespace.close);
    networks.connect(endpoint, namespace.path);
  }
  const cut = await ask(first.namespace, 'service');
  assert.ok(cut.answers!.length < 40 && (cut.flags & 0x200) !== 0, 'truncated');
  assert.equal((await ask(first.namespace, 'service', 'A', 4096)).answers!.length, 40);
  assert.equal((await askByTcp(first.namespace, 'service')).answers!.length, 40);
  const orders = new Set<string>();
  for (let index = 0; index < 8; index++) {
    orders.add((await ask(first.namespace, 'service', 'A', 4096)).answers!.map(answer => answer.data).join());
  }
  assert.ok(orders.size > 1, 'the order changes');
});

test('answers go on after a restart of the daemon', async () => {
  const four = runContainer('four', ['app']);
  networks.close();
  networks = openNetworks();
  networks.reconcile([{ containerId: four.id, namespacePath: four.namespace.path, resolver: noServers }]);
  assert.deepEqual(data(await ask(four.namespace, 'four')), [four.ipv4]);
  assert.deepEqual(data(await ask(four.namespace, 'example.org')), ['198.51.100.0']);
});
