import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { repository } from '../support/daemon.ts';
import { composeProgram } from '../support/sid-plugins.ts';
import { Machine } from './machine.ts';

/** `gantry compose` and docker compose v2, each with what the other one made. Runs against a dockerd as well. */
describe('compose', { concurrency: false }, () => {
  let machine: Machine;
  let dockerCompose: string;
  before(async () => {
    machine = await Machine.start('compose');
    dockerCompose = await composeProgram();
  });
  after(() => machine?.stop());

  const compose = (line: string) => machine.must(`cd shop && ${repository}/gantry compose ${line}`);
  const theirs = (line: string) => machine.must(`cd shop && ${dockerCompose} ${line}`);

  function write(name: string, text: string): void {
    const path = machine.world.path('work', 'shop', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  const shop = (command = 'httpd -f -p 80 -h /srv') => `
services:
  web:
    build: web
    command: ${command}
    depends_on: {db: {condition: service_healthy}, setup: {condition: service_completed_successfully}}
    networks: {front: , back: {aliases: [site]}}
    configs: [{source: greeting, target: /srv/index.html, mode: 0444, uid: "1", gid: "2"}]
    secrets: [key]
    stop_grace_period: 1s
  setup: {image: busybox, command: "sh -c 'echo ready; echo made > /d/made'", networks: [back], volumes: ["data:/d"]}
  db:
    image: busybox
    command: "sh -c 'touch /tmp/ok; exec sleep 1000'"
    healthcheck: {test: "test -f /tmp/ok", interval: 300ms, retries: 100}
    networks: [back]
    volumes: ["data:/d", "/kept"]
    stop_grace_period: 1s
networks: {front: , back: {internal: true}}
volumes: {data: }
configs: {greeting: {content: "hello from \${WHO:-nobody}\\n"}}
secrets: {key: {file: ./key}}
`;

  test('a project comes up in order, once', async () => {
    write('compose.yaml', shop());
    write('.env', 'WHO=compose\n');
    write('key', 'secret\n');
    write('web/Dockerfile', 'FROM busybox\nRUN mkdir -p /srv\n');
    assert.match(await compose('plan'), /^ *1 create network shop_back\n/);
    await compose('up -d');
    assert.equal(await compose('ps --services'), 'db\nweb');
    assert.equal(await compose(`exec -T db sh -c 'cat /d/made; wget -qO- site'`), 'made\nhello from compose');
    assert.equal(
      await compose(`exec -T web sh -c 'cat /run/secrets/key; stat -c "%a %u %g" /srv/index.html'`),
      'secret\n444 1 2',
    );
    assert.match(await compose('logs setup'), /^setup-1 {2}\| ready$/);
    assert.equal(await compose('plan db web'), '1 start container shop-setup-1');
  });

  test('only what changed is made anew, and keeps its anonymous volumes', async () => {
    await compose(`exec -T db sh -c 'echo mine > /kept/file'`);
    const ids = async () =>
      (await machine.must('docker ps -q --no-trunc -f name=shop-web -f name=shop-db')).split('\n');
    const before = await ids();
    write('compose.yaml', `${shop('httpd -f -v -p 80 -h /srv')}`);
    await compose('up -d web');
    const after = await ids();
    assert.equal(after.filter(id => before.includes(id)).length, 1);
    await compose('up -d --force-recreate --no-deps db');
    assert.equal(await compose(`exec -T db cat /kept/file`), 'mine');
    assert.equal((await ids()).filter(id => before.includes(id)).length, 0);
  });

  test('docker compose finds nothing to do, and what it makes is ours as well', async () => {
    const running = await machine.must('docker ps -q -f name=shop-db -f name=shop-web');
    await theirs('up -d');
    assert.equal(await machine.must('docker ps -q -f name=shop-db -f name=shop-web'), running);
    await theirs('down -t 1 -v');
    await theirs('up -d');
    assert.equal(await compose('plan db web'), '1 start container shop-setup-1');
    await compose('up -d --scale web=2');
    assert.match(await compose('ps'), /shop-web-1[\s\S]*shop-web-2/);
    await compose('down -t 1 -v');
    assert.equal(
      await machine.must(
        'docker ps -aq; docker volume ls -q -f name=shop; docker network ls -q -f name=shop',
      ),
      '',
    );
  });

  test('attached: lines with names, and the exit code of a service', async () => {
    write(
      'compose.yaml',
      `
services:
  one: {image: busybox, command: "sh -c 'echo first; exit 3'"}
  two: {image: busybox, command: "sh -c 'echo second; exec sleep 1000'", stop_grace_period: 1s}
`,
    );
    const { code, stdout } = await machine.shell(
      `cd shop && ${repository}/gantry compose up --exit-code-from one`,
    );
    assert.equal(code, 3, stdout);
    assert.match(stdout, /^one-1 {2}\| first$/m);
    assert.match(stdout, /^one-1 exited with code 3$/m);
    assert.equal(await compose('ps -q'), '');
    await compose('down -t 1');
  });

  test('what cannot be is refused before anything is done', async () => {
    write('compose.yaml', 'services:\n  a:\n    image: busybox\n    imagee: b\n');
    const fault = /compose\.yaml:4:5: services\.a additional properties 'imagee' not allowed/;
    const line = `cd shop && ${repository}/gantry compose`;
    for (const command of ['up -d', 'down', 'ps', 'config -q']) {
      const { code, stderr } = await machine.shell(`${line} ${command}`);
      assert.equal(code, 1);
      assert.match(stderr, fault);
    }
    write('compose.yaml', 'services: {a: {image: busybox}}\n');
    assert.match((await machine.shell(`${line} up -d nope`)).stderr, /no such service: nope/);
    assert.match((await machine.shell(`${line} up -d --scale a`)).stderr, /invalid --scale option "a"/);
    assert.match((await machine.shell(`${line} exec a true`)).stderr, /service "a" is not running/);
  });
});
