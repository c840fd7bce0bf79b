import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { decode, encode } from 'dns-packet';
import { openInetSocket } from '../../src/linux/inet-socket.ts';
import { Nftables } from '../../src/linux/nftables/nftables.ts';
import { NetworkController } from '../../src/network/controller.ts';
import { parseIp } from '../../src/stdx/ip.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { Database } from '../../src/storage/database.ts';
import {
  askTcp,
  connectFrom,
  enterPrivateHost,
  makeNamespace,
  type Namespace,
  plugNeighbour,
  serveTcp,
} from '../support/network-world.ts';

/** The outside: one neighbour with two addresses. The host's name server knows it as listed.example and others. */
const directory = mkdtempSync(join(tmpdir(), 'gantry-egress-'));
const database = Database.open(join(directory, 'state.db'));
const closing: (() => void)[] = [];
const [byAddress, byName, host] = ['198.51.100.2', '203.0.113.2', '198.51.100.1'];
let networks: NetworkController;
let web: { id: string; namespace: Namespace };

before(() => {
  enterPrivateHost();
  const outside = plugNeighbour([
    { host: `${host}/24`, neighbour: `${byAddress}/24` },
    { host: '203.0.113.1/24', neighbour: `${byName}/24` },
  ]);
  closing.push(outside.close, serveTcp(outside, 80, 'outside').close, serveTcp(undefined, 80, 'host').close);
  closing.push(startNameServer());
  writeFileSync(join(directory, 'resolv.conf'), 'nameserver 127.0.0.1\n');
  networks = openNetworks();
  const options = { 'gantry.network.egress': '198.51.100.2,listed.example,*.below.example' };
  networks.create({ name: 'app', options });
  web = runContainer('web');
});

after(() => {
  networks.close();
  for (const close of closing) close();
  rmSync(directory, { recursive: true });
});

function openNetworks(): NetworkController {
  const config = { resolvConfPath: join(directory, 'resolv.conf') };
  return NetworkController.open({ database, log: silentLog, config });
}

/** Every name is at `byName`, and at an address that no name may open. */
function startNameServer(): () => void {
  const udp = dgram.createSocket('udp4');
  udp.on('message', (message, from) => {
    const { id, questions = [] } = decode(message);
    const answers = [byName, '169.254.169.254'].map(data => ({
      name: questions[0]!.name,
      type: 'A',
      ttl: 5,
      data,
    }));
    udp.send(encode({ id, type: 'response', questions, answers }), from.port, from.address);
  });
  udp.bind({ fd: openInetSocket({ protocol: 'udp', address: parseIp('127.0.0.1')!, port: 53 }) });
  return () => udp.close();
}

function runContainer(name: string): typeof web {
  const id = name.padStart(12, 'c').padEnd(64, '0');
  const namespace = makeNamespace();
  const endpoint = networks.allocate({ containerId: id, containerName: name, network: 'app' });
  networks.connect(endpoint, namespace.path);
  networks.startResolver(id, namespace.path, { dns: [], dnsOptions: [] });
  closing.push(namespace.close);
  return { id, namespace };
}

async function lookUp(name: string): Promise<string> {
  const query = encode({ id: 1, type: 'query', flags: 0x100, questions: [{ name, type: 'A' }] });
  const { rcode, answers } = decode(await connectFrom(web.namespace, 'udp', '127.0.0.11', 53, query));
  return `${rcode} ${answers!.length}`;
}

/** On a busy machine an answer may take longer than `askTcp` waits. */
async function reaches(address: string, wanted: RegExp): Promise<void> {
  let said = '';
  for (let attempt = 0; attempt < 40 && !wanted.test(said); attempt++)
    said = await askTcp(web.namespace, address, 80);
  assert.match(said, wanted, address);
}

/** All at once: what is refused shows by nothing coming back for a while. */
async function reachesNone(...addresses: string[]): Promise<void> {
  const said = await Promise.all(addresses.map(address => askTcp(web.namespace, address, 80)));
  assert.deepEqual(
    said,
    addresses.map(() => 'timeout'),
  );
}

function refused(): string[] {
  const { flows, names } = networks.egressOf(networks.get('app'));
  return [
    ...flows.map(({ destination, protocol, port }) => `${destination} ${protocol} ${port}`),
    ...names.map(({ name, count }) => `${name} ${count}`),
  ].sort();
}

test('only what is on the list is reached, and what was refused is known', async () => {
  await reaches(byAddress, /^outside/);
  await reachesNone(byName, host);
  assert.equal(await lookUp('other.example'), 'REFUSED 0');
  assert.equal(await lookUp('OTHER.example'), 'REFUSED 0');
  assert.deepEqual(
    refused(),
    [`${host} tcp 80`, `${byName} tcp 80`, 'OTHER.example 1', 'other.example 1'].sort(),
  );
});

test('a name on the list opens its addresses, but none that no name may stand for', async () => {
  assert.equal(await lookUp('a.below.example'), 'NOERROR 2');
  await reaches(byName, /^outside/);
  const { named } = networks.egressOf(networks.get('app'));
  assert.deepEqual(
    named.map(({ name, address }) => [name, address]),
    [['a.below.example', byName]],
  );
});

test('a restart of the daemon, and a ruleset that was flushed, close and open nothing', async () => {
  networks.close();
  networks = openNetworks();
  networks.reconcile([
    { containerId: web.id, namespacePath: web.namespace.path, resolver: { dns: [], dnsOptions: [] } },
  ]);
  await reaches(byName, /^outside/);
  const nft = new Nftables();
  nft.run('flush ruleset\n');
  nft.close();
  assert.equal(networks.verify(), true);
  assert.equal(networks.verify(), false, 'addresses of names are no reason to make it again');
  await reaches(byAddress, /^outside/);
  await reaches(byName, /^outside/);
  await reachesNone(host);
});

test('a list that is changed counts at once', async () => {
  assert.equal(await lookUp('listed.example'), 'NOERROR 2');
  networks.changeEgress('app', { allow: [host], remove: ['*.below.example', byAddress] });
  const changed = networks.get('app');
  assert.equal(changed.options['gantry.network.egress'], 'listed.example,198.51.100.1/32');
  await reaches(host, /^host/);
  await reachesNone(byAddress);
  assert.equal(await lookUp('a.below.example'), 'REFUSED 0');
  networks.changeEgress('app', 'unlimited');
  await reaches(byAddress, /^outside/);
  assert.equal(await lookUp('other.example'), 'NOERROR 2');
  for (const name of ['bridge', 'host'])
    assert.throws(() => networks.changeEgress(name, { allow: ['a.example'], remove: [] }), {
      kind: 'invalid',
    });
});
