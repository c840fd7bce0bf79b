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
  side: {image: busybox, command: sleep 1000, network_mode: "service:db", volumes_from: [db], stop_grace_period: 0s}
networks: {front: , back: {internal: true}}
volumes: {data: }
configs: {greeting: {content: "hello from \${WHO:-nobody}\\n"}}
secrets: {key: {file: ./key}}
`;

  const changing = (label: string) => `
name: changing
services:
  a: {image: busybox, command: sleep 1000, networks: {n: {aliases: [other]}}, stop_grace_period: 0s}
  b: {image: busybox, command: sleep 1000, networks: [n], stop_grace_period: 0s}
  side: {image: busybox, command: sleep 1000, network_mode: "service:a", stop_grace_period: 0s}
networks: {n: {labels: {of: ${label}}}}
`;

  const given = `
services:
  db: {provider: {type: cloud, options: {size: big}}}
  app: {image: busybox, command: sleep 1000, depends_on: [db], stop_grace_period: 0s}
  tool: {image: busybox, command: sleep 1000, use_api_socket: true, network_mode: none, stop_grace_period: 0s}
`;
  const provider = `#!/bin/sh
case "$*" in
  'compose metadata') exit 1;;
  'compose --project-name=given up --size=big db') echo up >>log; echo '{"type":"setenv","message":"URL=at big"}';;
  'compose --project-name=given down --size=big db') echo down >>log;;
  *) echo '{"type":"error","message":"not asked like this"}'; exit 1;;
esac
`;

  test('a project comes up in order, once', async () => {
    write('compose.yaml', shop());
    write('.env', 'WHO=compose\n');
    write('key', 'secret\n');
    write('web/Dockerfile', 'FROM busybox\nRUN mkdir -p /srv\n');
    assert.match(await compose('plan'), /^ *1 create network shop_back\n/);
    await compose('up -d');
    assert.equal(await compose('ps --services'), 'db\nside\nweb');
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
    await compose('up -d side');
    const all = 'docker ps -q -f name=shop-db -f name=shop-web -f name=shop-side';
    const running = await machine.must(all);
    await theirs('up -d');
    assert.equal(await machine.must(all), running);
    await theirs('down -t 1 -v');
    await theirs('up -d');
    assert.equal(await compose('plan'), '1 start container shop-setup-1');
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

  test('a network that changed is made anew, and a dry run changes nothing', async () => {
    const file = (name: string, label: string) => write(name, changing(label));
    file('changing/compose.yaml', 'one');
    const run = (line: string) => compose(`-f changing/compose.yaml ${line}`);
    await run('up -d');
    const id = await machine.must('docker ps -q --no-trunc -f name=changing-a');
    file('changing/compose.yaml', 'two');
    const label = () => machine.must(`docker network inspect changing_n --format '{{.Labels.of}}'`);
    assert.match(await run('--dry-run up -d 2>&1'), /^ DRY-RUN MODE - {2}Network changing_n {2}Removed$/m);
    await run('--dry-run down -v');
    assert.equal(await label(), 'one');
    await run('up -d');
    assert.equal(await label(), 'two');
    assert.equal(await machine.must('docker ps -q --no-trunc -f name=changing-a'), id);
    // By the alias that it has in the new network; what shares its namespace is in that one, too.
    await run('exec -T b ping -c 1 -w 20 other');
    await run('exec -T side ping -c 1 -w 20 b');
    assert.equal(await run('plan'), 'nothing to do');
    await run('down');
  });

  test('a provider makes what services need, and takes it away', async () => {
    write('given/compose.yaml', given);
    write('given/bin/cloud', provider);
    await machine.must('chmod 755 shop/given/bin/cloud');
    const run = (line: string) =>
      machine.must(`cd shop/given && PATH=$PWD/bin:$PATH ${repository}/gantry compose ${line}`);
    await run('up -d');
    assert.equal(await run('exec -T app sh -c "env | grep ^DB_"'), 'DB_URL=at big');
    await run(
      'exec -T tool sh -c "test -S /var/run/docker.sock && grep auths /run/secrets/docker/config.json"',
    );
    assert.match(
      await machine.must(`cd shop/given && PATH=$PWD/bin:$PATH ${dockerCompose} up -d app 2>&1`),
      /given-app-1 {2}Running/,
    );
    await run('down');
    assert.equal(await machine.must('cat shop/given/log'), 'up\nup\ndown');
  });

  test('hooks run after a start and before a stop; one that fails stops what is done', async () => {
    const service = (hooks: string) => `
services:
  a:
    image: busybox
    command: sleep 1000
    init: true
    volumes: ["told:/told"]
${hooks}
volumes: {told: }
`;
    write(
      'compose.yaml',
      service(`
    post_start:
      - command: sh -c 'echo "$$WHO in $$(pwd) as $$(id -u)" | tee /told/started'
        user: app
        working_dir: /tmp
        environment: [WHO=hook]
      - {command: "cp /told/started /root/started"}
    pre_stop: [{command: "sh -c 'cat /root/started >> /told/stopped; rm /root/started'"}]
`),
    );
    // The volume is root's, and the first hook is not.
    const prepare = `docker run --rm -v shop_told:/told busybox chmod 777 /told`;
    await compose('up --no-start');
    await machine.must(prepare);
    await compose('up -d');
    assert.equal(await compose('exec -T a cat /root/started'), 'hook in /tmp as 1000');
    await compose('restart');
    await compose('stop');
    await compose('start');
    const stopped = await compose('exec -T a cat /told/stopped');
    assert.equal(stopped, 'hook in /tmp as 1000\nhook in /tmp as 1000');
    await compose('down -v');
    write('compose.yaml', service(`    post_start: [{command: "sh -c 'echo no; exit 3'"}]`));
    const line = `cd shop && ${repository}/gantry compose`;
    const failed = await machine.shell(`${line} up -d`);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /a hook exited with status 3/);
    const attached = await machine.shell(`${line} up --force-recreate`);
    assert.match(attached.stdout, /^a-1 -> {2}\| no$/m);
    await compose('down -v');
  });

  // Of Debian 12 it is 1.29, later ones are of the second kind.
  test('docker-compose of the distribution finds what we made, and we what it made', async () => {
    const old = (words: string) => machine.shell(`cd shop && docker-compose ${words}`);
    write(
      'compose.yaml',
      `
services:
  web:
    image: busybox
    command: httpd -f -p 80 -h /srv
    init: true
    depends_on: {db: {condition: service_healthy}}
    networks: [front, back]
    volumes: ["./page:/srv:ro"]
  db:
    image: busybox
    command: sleep 1000
    init: true
    networks: {back: {aliases: [store]}}
    volumes: ["data:/d"]
    healthcheck: {test: "test -d /d", interval: 300ms, retries: 100}
networks: {front: , back: {internal: true}}
volumes: {data: }
`,
    );
    write('page/index.html', 'a page\n');
    await compose('up -d');
    assert.match((await old('ps')).stdout, /^shop-db-1 .* Up .*\(healthy\)/m);
    assert.equal((await old('down -v -t 1')).code, 0);
    const up = await old('up -d --scale web=2');
    assert.equal(up.code, 0, up.stderr);
    assert.equal((await old('exec -T web wget -qO- localhost')).stdout, 'a page\n');
    assert.equal((await old('exec -T web ping -c 1 store')).code, 0);
    assert.equal(await compose('ps --services'), 'db\nweb');
    await compose('down -v -t 1');
    assert.equal(
      await machine.must(
        'docker ps -aq; docker volume ls -q -f name=shop; docker network ls -q -f name=shop',
      ),
      '',
    );
  });

  test('one command at a time: run, and what works on one container of a service', async () => {
    write(
      'compose.yaml',
      `
services:
  job:
    image: busybox
    container_name: job
    restart: always
    command: "sh -c 'exit 9'"
    ports: ["80"]
    depends_on: [store]
    networks: {default: {aliases: [site]}}
  store: {image: busybox, command: sleep 1000, stop_grace_period: 0s}
`,
    );
    const { code, stdout } = await machine.shell(
      `cd shop && echo in | ${repository}/gantry compose run --rm -T -e A=b job sh -c 'cat; echo $A; exit 7'`,
    );
    assert.deepEqual([code, stdout], [7, 'in\nb\n']);
    assert.equal(await compose('ps --services'), 'store');
    const one = await compose(
      `run -d --no-deps --use-aliases -v ./:/here -p 127.0.0.1:0:81 --name one job sleep 1000`,
    );
    const other = await theirs('run -d --no-deps --name other job sleep 1000');
    const format = `'{{range $k, $v := .Config.Labels}}{{$k}} {{end}}'`;
    const labels = (id: string) => machine.must(`docker inspect -f ${format} ${id}`);
    assert.equal(await labels(one), await labels(other));
    assert.match(await machine.must(`docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' one`), /^(no)?$/);
    assert.equal(await machine.must('docker exec one ls /here'), await machine.must('ls shop'));
    await machine.must('docker exec other ping -c 1 site');
    assert.match(await compose('scale store=2'), /^$/);
    await compose('cp compose.yaml store:/tmp/');
    assert.equal(await compose('cp --index 2 store:/tmp/compose.yaml - | tar t'), 'compose.yaml');
    assert.match(await compose('export --index 1 store | tar t'), /^tmp\/compose\.yaml$/m);
    await compose(`commit -c 'CMD echo kept' store local/kept`);
    assert.equal(await machine.must('docker run --rm local/kept cat /tmp/compose.yaml | grep -c store'), '2');
    const since = await machine.must('date +%s');
    assert.match(
      await endOf('store'),
      /^container "[0-9a-f]{64}" exited with status code 137\n.* 137\nstatus 137$/,
    );
    const events = await compose(`events --json --since ${since} --until $(($(date +%s) + 1)) store`);
    assert.ok(events.split('\n').some(line => JSON.parse(line).action === 'die'));
    await compose('down -t 0 --rmi local');
    assert.equal(await machine.must('docker ps -aq'), '');
  });

  /** What `wait` says when the containers are killed; again if they were before it looked. */
  async function endOf(service: string): Promise<string> {
    for (let delayMs = 300; ; delayMs *= 2) {
      const line = `cd shop && ${repository}/gantry compose wait ${service}; echo status $?`;
      const waiting = machine.shell(line);
      await new Promise(resolve => setTimeout(resolve, delayMs));
      await machine.must(`docker kill shop-${service}-1 shop-${service}-2`);
      const { stdout, stderr } = await waiting;
      if (delayMs > 30_000 || !stderr.includes('no containers for project')) return stdout.trimEnd();
      await machine.must(`docker start shop-${service}-1 shop-${service}-2`);
    }
  }

  test('what is said of what cannot be done is what docker compose says', async () => {
    write(
      'compose.yaml',
      'services: {a: {image: busybox, command: sleep 1000, ports: ["127.0.0.1::80"], stop_grace_period: 0s}}\n',
    );
    await compose('up -d');
    const lines = [
      ...['ps --filter x=y', 'ls --filter x=y', 'images -q', 'volumes nope', 'port a x', 'port a 81'],
      ...['logs --index 2 a', 'wait nope', '-p none start', 'scale a=x', 'up --scale a', 'create --pull x'],
      ...['up --nope', 'cp x y', 'cp nope:/x .', 'exec --index 7 a true', 'attach nope', 'run nope'],
      ...['run -p 1:1 -P a', 'down nope', 'down -t x', '--parallel x ps', '-f nope.yaml ps', 'down --rmi x'],
    ];
    const told = (program: string, errors: string) => {
      const each = `echo "$ $line"; ${program} $line 2>${errors} </dev/null; echo "status $?"; head -1 ${errors}`;
      const all = `while read -r line; do ${each}; done <<'END'\n${lines.join('\n')}\nEND`;
      return machine.must(`cd shop && ${all}`);
    };
    const [ours, others] = await Promise.all([
      told(`${repository}/gantry compose`, 'our-errors'),
      told(dockerCompose, 'their-errors'),
    ]);
    assert.equal(ours, others);
    await compose('down');
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
