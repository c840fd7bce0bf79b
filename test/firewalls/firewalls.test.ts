import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Nftables } from '../../src/linux/nftables/nftables.ts';
import { NetworkController } from '../../src/network/controller.ts';
import type { PortRequest } from '../../src/network/network.ts';
import { silentLog } from '../../src/stdx/log.ts';
import { Database } from '../../src/storage/database.ts';
import {
  askTcp,
  enterPrivateHost,
  makeNamespace,
  type Namespace,
  plugNeighbour,
  serveTcp,
} from '../support/network-world.ts';
import { settled } from '../support/settled.ts';
import { Debian } from './debian.ts';

/** Beside the real ufw and the real firewalld: nobody asks for anything to be put right. */
const hostAddress = '192.0.2.1';
let directory: string;
let networks: NetworkController;
let neighbour: Namespace;
let nft: Nftables;
let debian: Debian;
let closing: (() => void)[] = [];
let count = 0;

before(async () => {
  enterPrivateHost();
  neighbour = plugNeighbour([{ host: `${hostAddress}/24`, neighbour: '192.0.2.9/24' }]);
  nft = new Nftables();
  debian = await Debian.start();
});

after(async () => {
  await debian.stop();
  neighbour.close();
  nft.close();
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gantry-network-'));
  const database = Database.open(join(directory, 'state.db'));
  networks = NetworkController.open({ database, log: silentLog, config: { resolvConfPath: '/dev/null' } });
  networks.keepFirewall(() => networks.verify());
});

afterEach(() => {
  for (const close of closing) close();
  closing = [];
  networks.dismantle();
  networks.close();
  rmSync(directory, { recursive: true });
});

function runContainer(
  name: string,
  network: string,
  ports: PortRequest[] = [],
): { namespace: Namespace; address: string } {
  const id = (++count).toString(16).padStart(64, '0');
  const namespace = makeNamespace();
  const endpoint = networks.allocate({ containerId: id, containerName: name, network });
  networks.connect(endpoint, namespace.path);
  networks.publish(id, ports);
  const server = serveTcp(namespace, 80, name);
  closing.push(() => server.close(), namespace.close);
  return { namespace, address: endpoint.ipv4!.address };
}

/** Two networks, a published port, one for this host alone, and a server of a neighbour's. */
function populate(): () => Promise<void> {
  networks.create({ name: 'other' });
  const web = runContainer('web', 'bridge', [
    { containerPort: 80, protocol: 'tcp', hostPort: '8080' },
    { containerPort: 80, protocol: 'tcp', hostIp: '127.0.0.1', hostPort: '8081' },
  ]);
  const sibling = runContainer('sibling', 'bridge');
  const stranger = runContainer('stranger', 'other');
  const server = serveTcp(neighbour, 7777, 'neighbour');
  closing.push(() => server.close());
  return async () => {
    await settled(async () => {
      assert.equal(await askTcp(neighbour, hostAddress, 8080), 'web 192.0.2.9');
      assert.equal(await askTcp(web.namespace, '192.0.2.9', 7777), `neighbour ${hostAddress}`);
    });
    assert.match(await askTcp(undefined, '127.0.0.1', 8080), /^web /);
    assert.match(await askTcp(undefined, '127.0.0.1', 8081), /^web /);
    assert.match(await askTcp(sibling.namespace, web.address, 80), /^web /);
    assert.match(await askTcp(stranger.namespace, hostAddress, 8080), /^web /);
    const closed = [
      askTcp(neighbour, web.address, 80),
      askTcp(neighbour, hostAddress, 8081),
      askTcp(stranger.namespace, web.address, 80),
    ];
    for (const answer of await Promise.all(closed)) assert.doesNotMatch(answer, /web/);
  };
}

/** Rules of ours in tables that are not. */
function ourRulesElsewhere(): number {
  return nft.run('list ruleset').split('comment "gantry"').length - 1;
}

test('ufw is enabled, reloaded and disabled', async () => {
  const works = populate();
  await works();
  assert.equal(ourRulesElsewhere(), 0);
  await debian.runOrThrow('ufw', '--force', 'enable');
  await works();
  assert.ok(ourRulesElsewhere() > 0);
  await debian.runOrThrow('ufw', 'reload');
  await works();
  await debian.runOrThrow('ufw', '--force', 'disable');
  await settled(async () => assert.equal(ourRulesElsewhere(), 0));
  await works();
});

describe('firewalld', () => {
  let bus: ReturnType<Debian['spawn']>;
  let firewalld: ReturnType<Debian['spawn']>;

  afterEach(() => {
    firewalld.kill('SIGKILL');
    bus.kill('SIGKILL');
    nft.run('flush ruleset');
  });

  test('is started and reloaded (CVE-2025-54388, CVE-2025-54410)', async () => {
    const works = populate();
    bus = debian.spawn('dbus-daemon', '--session', '--nofork', '--nopidfile', '--address=unix:path=/run/bus');
    await settled(async () => {
      await debian.runOrThrow('test', '-S', '/run/bus');
    });
    firewalld = debian.spawn('firewalld', '--nofork', '--nopid');
    await settled(async () => {
      await debian.runOrThrow('firewall-cmd', '--state');
    });
    await works();
    const before = tableHandle();
    firewalld.kill('SIGHUP');
    await settled(async () => assert.notEqual(tableHandle(), before));
    await works();
  });

  function tableHandle(): unknown {
    return nft.list('list tables').find(({ table }) => table?.['name'] === 'firewalld')?.['table']?.[
      'handle'
    ];
  }
});
