import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameDecoder } from '../../src/api/frames.ts';
import { settled } from '../support/settled.ts';
import { LoadWorker } from './crash-load.ts';
import { kernelLeftovers, strayPorts } from './leftovers.ts';
import { daemonKind, Machine, ownAccounts } from './machine.ts';
import { Random } from './random.ts';
import { RawApi } from './raw-api.ts';
import { stateLeftovers } from './state-leftovers.ts';

/**
 * Kills the daemon again and again while clients do everything at once, and looks at the whole machine after each
 * start. GANTRY_CRASH_SEED repeats the choices of an earlier run, GANTRY_CRASH_KILLS says how often. Without it a slow
 * machine stops when it has spent its time.
 */
const kills = Number(process.env['GANTRY_CRASH_KILLS'] ?? 60);
const longestMs = process.env['GANTRY_CRASH_KILLS'] === undefined ? 60_000 : Number.POSITIVE_INFINITY;
const seed = Number(process.env['GANTRY_CRASH_SEED'] ?? Date.now() % 1_000_000);
const workersAtOnce = 3;
/** The daemon is killed when it has answered so many requests at most, and some moments after that. */
const mostAnswers = 20;
const longestFurtherMs = 30;
const longestLifeMs = 2_000;
/** Of four starts one is killed on its way, after this at most. */
const longestStartMs = 800;

describe(`SIGKILL of ${daemonKind} under load, GANTRY_CRASH_SEED=${seed}`, {
  concurrency: false,
  skip: daemonKind === 'dockerd' && 'what is looked at is how Gantry keeps its state',
}, () => {
  let machine: Machine;
  let prober: Prober;
  let api: RawApi;
  const random = new Random(seed);

  before(async () => {
    machine = await Machine.start('crash-load', {
      registry: true,
      prepare: ownAccounts,
      daemonArguments: ['--userns-remap', 'default'],
    });
    api = new RawApi(machine.daemon.socket);
    await machine.must(
      "docker run -d --name bystander -p 18080:80 busybox sh -c 'echo standing > /var/www/index.html; httpd -p 80 -h /var/www; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done'",
    );
    await machine.must(
      'docker run -d --name crasher --userns host --restart always busybox sh -c "sleep 3; exit 1"',
    );
    await machine.must(
      "printf 'FROM busybox\\nRUN head -c 3000000 /dev/urandom > /a\\nRUN head -c 2000000 /dev/urandom > /b\\n' | docker build -q -t localhost:5000/big - ; docker push -q localhost:5000/big; docker rmi localhost:5000/big; docker builder prune -af",
    );
    assert.equal(await machine.fetch('http://127.0.0.1:18080/'), 'standing');
    prober = new Prober(machine);
  });
  after(() => machine?.stop());

  test(`up to ${kills} times`, { timeout: 300_000 + kills * 30_000 }, async t => {
    const workers = Array.from(
      { length: workersAtOnce },
      (_, index) => new LoadWorker(api, new Random(seed + 1 + index), `w${index + 1}`),
    );
    const started = Date.now();
    let round = 0;
    while (round < kills && Date.now() - started < longestMs) {
      const when = `after kill ${++round} of seed ${seed}`;
      const work = Promise.all(workers.map(worker => worker.workUntilCut()));
      const following = api.stream('/containers/bystander/logs?stdout=1&follow=1');
      await killSomewhere();
      await work;
      assert.equal(faultOf(linesOf((await following).bytes)), undefined, when);
      if (random.below(4) === 0) await machine.daemon.startAndKill(random.below(longestStartMs));
      await machine.daemon.start();
      const told = (await Promise.all(workers.map(worker => worker.verify()))).flat();
      assert.deepEqual(told, [], when);
      await settled(async () => assert.deepEqual(await disagreements(), [], when));
    }
    t.diagnostic(`${round} kills`);
    const done = workers.flatMap(worker => [...worker.done]);
    const counts = Map.groupBy(done, ([name]) => name);
    for (const [name, entries] of counts) {
      t.diagnostic(`${name}: ${entries.reduce((sum, [, count]) => sum + count, 0)}`);
    }
  });

  test('the port answered throughout, and the log is whole', async () => {
    assert.deepEqual(await prober.stop(), []);
    assert.equal(faultOf((await machine.must('docker logs bystander')).split('\n')), undefined);
  });

  test('when all is removed, nothing is left', async () => {
    await machine.must('docker rm -fv $(docker ps -aq)');
    await machine.must('docker system prune -af --volumes');
    await settled(async () => assert.deepEqual(await disagreements(), []));
  });

  async function killSomewhere(): Promise<void> {
    const answers = api.answered + random.below(mostAnswers);
    const furtherMs = random.below(longestFurtherMs);
    for (const since = Date.now(); api.answered < answers && Date.now() - since < longestLifeMs; )
      await sleep(1);
    await sleep(furtherMs);
    await machine.daemon.kill();
  }

  /** Of the kernel, the disk and the database. */
  async function disagreements(): Promise<string[]> {
    const listed = await api.json<{ Id: string; Names: string[]; State: string }[]>('/containers/json?all=1');
    for (const { Id } of listed) machine.seenIds.add(Id);
    const up = listed.filter(({ State }) => State === 'running' || State === 'paused');
    const running = new Set(up.map(({ Id }) => Id));
    const before = JSON.stringify(listed.map(({ Id, State }) => [Id, State]));
    const { lines, endpoints, ports } = stateLeftovers(machine.world, running);
    const kernel = await kernelLeftovers(machine, running, endpoints);
    const found = [...lines, ...kernel, ...(await strayPorts(machine, ports))];
    const again = await api.json<{ Id: string; State: string }[]>('/containers/json?all=1');
    // Something has ended meanwhile: what was seen is of two moments.
    if (before !== JSON.stringify(again.map(({ Id, State }) => [Id, State])))
      return ['the machine does not rest'];
    return found;
  }
});

/** The whole lines of a log that was cut somewhere. */
function linesOf(frames: Buffer): string[] {
  let text = '';
  new FrameDecoder((_stream, payload) => {
    text += payload;
  }).push(frames);
  return text.split('\n').slice(0, -1);
}

/** What is wrong with the bystander's log. */
function faultOf(lines: readonly string[]): string | undefined {
  const wrong = lines.findIndex((line, index) => line !== `line ${index + 1}`);
  return wrong === -1 ? undefined : `line ${wrong + 1} of the log is ${JSON.stringify(lines[wrong])}`;
}

/** Asks the bystander's page twenty times a second with one process. */
class Prober {
  readonly #child: ChildProcess;
  #said = '';

  constructor(machine: Machine) {
    const pages = 'http://127.0.0.1:18080/?[1-10000000]';
    const format = '%{http_code} %{errormsg}\\n';
    const curl = [
      'stdbuf',
      '-oL',
      'curl',
      '-s',
      '--rate',
      '1200/m',
      '--max-time',
      '60',
      '-o',
      '/dev/null',
      '-w',
      format,
      pages,
    ];
    const argv = machine.world.inside(curl);
    this.#child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout!.on('data', chunk => {
      this.#said += chunk;
    });
  }

  /** @returns what was no page */
  async stop(): Promise<string[]> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
    const answers = this.#said.split('\n').slice(0, -1);
    assert.ok(answers.length > 0, 'nobody asked');
    return answers.filter(answer => !answer.startsWith('200'));
  }
}
