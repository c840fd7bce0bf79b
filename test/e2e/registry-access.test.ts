import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostAddress } from '../support/world.ts';
import { daemonKind, Machine } from './machine.ts';

const registry = `${hostAddress}:5443`;
const proxy = `${hostAddress}:3128`;
const trust = `/etc/docker/certs.d/${registry}`;

/** An /etc of its own with the certificates in it, for the daemon to find. */
const prepare = `cp -a /etc /run/etc
mount --bind /run/etc /etc
mkdir -p '${trust}' /run/tls && cd /run/tls
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt
echo subjectAltName=IP:${hostAddress} > names
for who in server client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$who -keyout $who.key -out $who.csr
  openssl x509 -req -days 2 -in $who.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile names -out $who.cert
done
cp ca.crt client.cert client.key '${trust}'`;

/** Opens tunnels, and writes down where to. */
const proxyProgram = `
const { appendFileSync } = require('node:fs');
const { createServer } = require('node:http');
const { connect } = require('node:net');
const server = createServer((request, response) => response.writeHead(405).end());
server.on('connect', (request, socket, head) => {
  appendFileSync('tunnels', request.url + '\\n');
  const [host, port] = request.url.split(':');
  const target = connect(Number(port), host, () => {
    socket.write('HTTP/1.1 200 Connection established\\r\\n\\r\\n');
    target.write(head);
    socket.pipe(target).pipe(socket);
  });
  target.on('error', () => socket.destroy());
  socket.on('error', () => target.destroy());
});
server.listen(3128, '${hostAddress}');`;

describe(`registries behind a proxy and a private authority, against ${daemonKind}`, {
  concurrency: false,
}, () => {
  let machine: Machine;
  const inWorld = (argv: string[]) => {
    const [program = '', ...rest] = machine.world.inside(argv, machine.world.path('work'));
    spawn(program, rest, { stdio: 'ignore' });
  };
  const answers = async (argv: string[]) => {
    for (let attempt = 0; attempt < 300; attempt++) {
      if ((await machine.world.run(argv)).code === 0) return;
      await sleep(100);
    }
    assert.fail(`${argv.join(' ')} never succeeded`);
  };

  before(async () => {
    // 20.10 knows no flag for it.
    process.env['HTTPS_PROXY'] = `http://${proxy}`;
    try {
      machine = await Machine.start('access', { prepare });
    } finally {
      delete process.env['HTTPS_PROXY'];
    }
    writeFileSync(
      machine.world.path('private.yml'),
      `version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: ${machine.world.path('private')}}}
http:
  addr: ${registry}
  tls: {certificate: /run/tls/server.cert, key: /run/tls/server.key, clientcas: [/run/tls/ca.crt]}
`,
    );
    inWorld(['docker-registry', 'serve', machine.world.path('private.yml')]);
    inWorld([process.execPath, '-e', proxyProgram]);
    const curl = ['curl', '-sf', '--cacert', '/run/tls/ca.crt', '--cert', '/run/tls/client.cert'];
    await answers([...curl, '--key', '/run/tls/client.key', `https://${registry}/v2/`]);
    await answers(['curl', '-s', `http://${proxy}/`]);
  });
  after(() => machine?.stop());

  const tunnels = () => readFileSync(machine.world.path('work', 'tunnels'), 'utf8');

  test('push and pull go through the proxy, with the certificates of certs.d', async () => {
    await machine.must(`docker tag busybox ${registry}/app:1; docker push -q ${registry}/app:1`);
    await machine.must(`docker rmi ${registry}/app:1; docker pull -q ${registry}/app:1`);
    assert.match(tunnels(), new RegExp(`^(${registry}\n)+$`));
  });

  test('info names the proxy', async () => {
    assert.equal(await machine.must("docker info --format '{{.HTTPSProxy}}'"), `http://${proxy}`);
  });

  test('loopback has no proxy', async () => {
    const before = tunnels();
    const { code } = await machine.shell('docker pull localhost:1/app');
    assert.notEqual(code, 0);
    assert.equal(tunnels(), before);
  });

  test('without our certificate the registry refuses, and a key alone is a mistake', async () => {
    const folder = `/proc/${machine.world.pid}/root${trust}`;
    rmSync(`${folder}/client.cert`);
    const half = await machine.shell(`docker pull ${registry}/app:1`);
    assert.match(half.stderr, /missing client certificate \S*client\.cert for key \S*client\.key/i);
    rmSync(`${folder}/client.key`);
    const refused = await machine.shell(`docker pull ${registry}/app:1`);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /certificate|handshake|tls/i);
    rmSync(`${folder}/ca.crt`);
    const unknown = await machine.shell(`docker pull ${registry}/app:1`);
    assert.match(unknown.stderr, /x509|certificate/);
  });
});
