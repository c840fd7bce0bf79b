import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { daemonKind, Machine } from '../e2e/machine.ts';
import { repository } from '../support/daemon.ts';
import { PackageMirror, packagesUrl } from '../support/package-mirror.ts';
import { composeProgram } from '../support/sid-plugins.ts';
import { haveImages, placeExample } from './example-images.ts';

const timeoutMs = 3_500_000;
/** How long something may take to come about on a slow machine. */
const patienceMs = 120_000;

/** What people run projects with, and how a container of theirs is called. */
interface ComposeClient {
  name: string;
  command(): Promise<string>;
  container(project: string, service: string): string;
}

const clients: ComposeClient[] = [
  {
    name: 'gantry compose',
    command: async () => `${repository}/gantry compose`,
    container: (project, service) => `${project}-${service}-1`,
  },
  {
    name: 'docker compose 2.40',
    command: composeProgram,
    container: (project, service) => `${project}-${service}-1`,
  },
  {
    name: 'docker-compose 1.29',
    command: async () => 'docker-compose',
    container: (project, service) => `${project}_${service}_1`,
  },
];

/** The projects of examples/ as they are, on images that were built here. */
describe('projects', { timeout: timeoutMs, concurrency: false }, () => {
  let machine: Machine;
  let mirror: PackageMirror;
  before(async () => {
    const metrics = ['--metrics-addr', '0.0.0.0:9323'];
    machine = await Machine.start('projects', {
      daemonArguments: daemonKind === 'dockerd' ? [...metrics, '--experimental'] : metrics,
    });
    mirror = await PackageMirror.open();
    await mirror.serve(machine.world);
    for (const name of ['guestbook', 'monitored']) {
      await haveImages(machine, packagesUrl, name);
      await machine.must(`sh ${placeExample(machine, name)}/make-secrets.sh`);
    }
  });
  after(async () => {
    await mirror?.close();
    await machine?.stop();
  });

  /** Asks from the machine's own network until the answer is as it should be. */
  async function until(argv: readonly string[], wanted: RegExp): Promise<string> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const { stdout, stderr } = await machine.world.run(argv);
      if (wanted.test(stdout)) return stdout;
      if (Date.now() > deadline)
        assert.fail(`${argv.join(' ')} does not answer ${wanted} but ${stdout}${stderr}`);
      await sleep(200);
    }
  }

  const inspect = (container: string, format: string) =>
    machine.must(`docker inspect -f '${format}' ${container}`);

  for (const client of clients) {
    test(`guestbook by ${client.name}`, async () => {
      const command = await client.command();
      const compose = (words: string) => machine.must(`cd guestbook && ${command} ${words}`, 400_000);
      const container = (service: string) => client.container('guestbook', service);
      const certificate = machine.world.path('work', 'guestbook', 'secrets', 'tls.crt');
      const curl = ['curl', '-sS', '--max-time', '20', '--cacert', certificate, 'https://localhost:8443/'];

      await compose('up -d');
      assert.match(await until(curl, /Seen 1 times/), /<b>Ada<\/b>: The first entry, from the init script\./);
      const wrote = await machine.world.run([
        ...curl,
        '-d',
        'name=Grace&message=was+here',
        '-w',
        '%{http_code}',
      ]);
      assert.equal(wrote.stdout, '303');
      const kept = /<b>Ada<\/b>[\s\S]*<b>Grace<\/b>: was here[\s\S]*Seen (\d+) times/;
      assert.equal(kept.exec(await until(curl, kept))?.[1], '2');

      // A daemon that died finds all as it was; names are its own to tell, so the site is asked when it is back.
      if (machine.daemon.kind === 'gantryd') {
        await machine.daemon.kill();
        await machine.daemon.start();
        await until(curl, kept);
        if (client === clients[0]) assert.equal(await compose('plan'), 'nothing to do');
      }

      // Whoever does not know the certificate does not trust it.
      const distrust = await machine.world.run([
        'curl',
        '-sS',
        '--max-time',
        '20',
        'https://localhost:8443/',
      ]);
      assert.match(distrust.stderr, /certificate/);

      // From the internal network nobody gets out, and from the other one nobody in. An old dockerd lets them reach its host.
      const own = "fetch('http://10.77.0.2:9323/metrics',{signal:AbortSignal.timeout(3000)})";
      const tries = `${own}.then(()=>console.log('reached'),()=>console.log('not reached'))`;
      if (daemonKind === 'gantryd')
        assert.equal(await compose(`exec -T api node -e "${tries}"`), 'not reached');
      assert.equal(await compose(`exec -T web node -e "${tries}"`), 'reached');
      const lookUp = (service: string) =>
        machine.shell(`cd guestbook && ${command} exec -T proxy getent hosts ${service}`);
      assert.equal((await lookUp('web')).code, 0);
      assert.equal((await lookUp('database')).code, 2);
      assert.equal(await machine.must(`docker port ${container('database')}`), '');

      const limits = '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}';
      assert.equal(await inspect(container('database'), limits), `${256 << 20} 1000000000 100`);
      assert.equal(
        await inspect(container('api'), '{{json .HostConfig.LogConfig}}'),
        '{"Type":"json-file","Config":{"max-file":"3","max-size":"1m"}}',
      );
      // Passwords are in files alone.
      const password = await machine.must('cat guestbook/secrets/database_password');
      assert.ok(!(await inspect(container('database'), '{{json .}}')).includes(password));
      assert.equal(
        (await machine.shell(`docker exec ${container('cache')} redis-cli get views`)).stdout,
        'NOAUTH Authentication required.\n\n',
      );

      await compose('down');
      assert.equal(await machine.must('docker ps -aq'), '');
      await compose('up -d');
      assert.match(kept.exec(await until(curl, kept))?.[1] ?? '', /^[3-9]$/);
      assert.match(
        await compose('logs --no-color database'),
        /database system is ready to accept connections/,
      );
      await compose('down -v');
      assert.equal(await machine.must('docker volume ls -q; docker network ls -q -f type=custom'), '');
    });

    test(`monitored by ${client.name}`, async () => {
      const command = await client.command();
      const compose = (words: string) => machine.must(`cd monitored && ${command} ${words}`, 400_000);
      const curl = (url: string, ...more: string[]) => ['curl', '-sS', '--max-time', '20', ...more, url];
      /** One value of Prometheus, as text. */
      const value = (query: string, wanted: string) =>
        until(
          curl('http://localhost:9090/api/v1/query', '-G', '--data-urlencode', `query=${query}`),
          new RegExp(`"value":\\[[0-9.]+,"${wanted}"\\]`),
        );

      await compose('up -d');
      const web = 'http://localhost:8081';
      await until(curl(`${web}/start`, '-w', '%{redirect_url}'), /^https:\/\/example\.org\/$/);
      await until(
        curl(`${web}/new`, '-X', 'PUT', '-d', 'https://example.com/', '-w', '%{http_code}'),
        /^201$/,
      );
      await until(curl(`${web}/new`, '-w', '%{redirect_url}'), /^https:\/\/example\.com\/$/);
      await until(curl(`${web}/new`, '-w', '%{redirect_url}'), /^https:\/\/example\.com\/$/);
      await until(curl(`${web}/none`, '-w', '%{http_code}'), /404$/);

      await value('up{job="engine"}', '1');
      await value('up{job="web"}', '1');
      await value('engine_daemon_container_states_containers{state="running"}', '4');
      await value('links_known', '2');
      await value('links_answers_total{from="nowhere"}', '1');
      // What happens on the engine is seen.
      await compose('stop cache');
      await value('engine_daemon_container_states_containers{state="running"}', '3');
      await compose('start cache');
      await value('engine_daemon_container_states_containers{state="running"}', '4');
      await compose('down -v');
      assert.equal(await machine.must('docker ps -aq; docker volume ls -q'), '');
    });
  }
});
