import assert from 'node:assert/strict';
import { release } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { settled } from '../support/settled.ts';
import { hostAddress } from '../support/world.ts';
import { leftovers } from './leftovers.ts';
import { daemonKind, Machine } from './machine.ts';

/** How often the daemon is killed in each operation; more finds more, at some two seconds each. */
const rounds = Number(process.env['GANTRY_CRASH_ROUNDS'] ?? 2);

/** dockerd's proxies die with it and its rules are made anew at its start: only Gantry is asked meanwhile. */
const addresses = daemonKind === 'dockerd' ? [] : ['127.0.0.1', hostAddress];

interface Operation {
  name: string;
  /** Makes ready what the operation works on, with a living daemon. */
  prepare?: string;
  /** What the daemon is killed in. */
  line: string;
  /** The daemon is killed after some part of this. */
  withinMs: number;
  /** Must succeed once the daemon is back: whatever was cut off can be done again. */
  again: string;
}

const operations: readonly Operation[] = [
  {
    name: 'pull',
    prepare: 'docker rmi localhost:5000/big 2>/dev/null',
    line: 'docker pull -q localhost:5000/big',
    withinMs: 500,
    again:
      'docker pull -q localhost:5000/big; docker run --rm localhost:5000/big true; docker rmi localhost:5000/big',
  },
  {
    name: 'build',
    line: "printf 'FROM busybox\\nRUN head -c 3000000 /dev/urandom > /a\\nRUN sleep 0.2; rm /a\\nRUN echo 3 > /c\\n' | docker build --no-cache -t crash-build -",
    withinMs: 700,
    again:
      "printf 'FROM busybox\\nRUN echo again > /c\\n' | docker build -q -t crash-build - ; docker run --rm crash-build cat /c; docker rmi -f crash-build",
  },
  {
    name: 'create',
    line: 'docker create --name crash-create -v /anonymous busybox true',
    withinMs: 60,
    again:
      'docker rm -fv crash-create; docker create --name crash-create busybox true; docker rm crash-create',
  },
  {
    name: 'start',
    prepare: 'docker rm -f crash-start; docker create --name crash-start -p 19090:80 busybox sleep 1000',
    line: 'docker start crash-start',
    withinMs: 120,
    again: 'docker start crash-start; docker exec crash-start true; docker rm -f crash-start',
  },
  {
    name: 'stop',
    prepare: 'docker rm -f crash-stop; docker run -d --name crash-stop -p 19091:80 busybox sleep 1000',
    line: 'docker stop -t 0 crash-stop',
    withinMs: 120,
    again: 'docker start crash-stop; docker stop -t 0 crash-stop; docker rm crash-stop',
  },
  {
    name: 'rm',
    prepare:
      'docker rm -f crash-rm; docker run -d --name crash-rm -p 19092:80 -v /anonymous busybox sleep 1000',
    line: 'docker rm -fv crash-rm',
    withinMs: 150,
    again: 'docker rm -fv crash-rm; docker run --rm --name crash-rm -p 19092:80 busybox true',
  },
];

/** What a container waits for, see endWithoutDaemon. */
const untilTold = 'until [ -e /go ]; do sleep 0.1; done';

describe(`SIGKILL of ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    const extra = daemonKind === 'dockerd' ? ['--live-restore'] : [];
    machine = await Machine.start('crash', { registry: true, daemonArguments: extra });
    await machine.must(
      "docker run -d --name bystander -p 18080:80 busybox sh -c 'echo standing > /var/www/index.html; httpd -p 80 -h /var/www; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done'",
    );
    assert.equal(await machine.fetch('http://127.0.0.1:18080/'), 'standing');
    const image =
      'FROM busybox\\nRUN head -c 20000000 /dev/urandom > /random\\nRUN head -c 9000000 /dev/urandom > /more\\n';
    await machine.must(
      `printf '${image}' | docker build -q -t localhost:5000/big - ; docker push -q localhost:5000/big; docker rmi localhost:5000/big`,
    );
    await machine.must('docker image prune -f');
  });
  after(() => machine?.stop());

  for (const operation of operations) {
    for (let round = 1; round <= rounds; round++) {
      // Spread over the operation, and a little off each time, so that many runs cut at many places.
      const delayMs = (operation.withinMs * (round - Math.random())) / rounds;
      test(`during ${operation.name}, after ${delayMs.toFixed(0)} ms`, () => crashDuring(operation, delayMs));
    }
  }

  async function crashDuring(operation: Operation, delayMs: number): Promise<void> {
    if (operation.prepare) await machine.shell(operation.prepare);
    await machine.noteIds();
    const watch = watchBystander();
    const cut = machine.shell(operation.line);
    await sleep(delayMs);
    await machine.daemon.kill();
    await cut;
    await sleep(100);
    await machine.daemon.start();
    await machine.must(operation.again);
    assert.deepEqual(await watch.stop(), [], 'the other container did not answer all the time');
    await settled(async () => assert.deepEqual(await leftovers(machine), []));
    await assertLogsAreWhole();
  }

  /** Asks the bystander's page again and again, from the machine's own address; returns what failed. */
  function watchBystander(): { stop(): Promise<string[]> } {
    let asking = true;
    const failures: string[] = [];
    const loop = (async () => {
      while (asking) {
        for (const address of addresses) {
          const got = await machine.world.run(['curl', '-sS', '--max-time', '2', `http://${address}:18080/`]);
          if (got.stdout !== 'standing\n') failures.push(`${got.code} ${got.stderr.trim()}${got.stdout}`);
        }
        await sleep(30);
      }
    })();
    return {
      stop: async () => {
        asking = false;
        await loop;
        return failures;
      },
    };
  }

  /** Every line the bystander ever wrote, in order, none twice, none cut. */
  async function assertLogsAreWhole(): Promise<void> {
    const lines = (await machine.must('docker logs bystander')).split('\n');
    const wrong = lines.findIndex((line, index) => line !== `line ${index + 1}`);
    assert.equal(wrong, -1, `line ${wrong + 1} of the log is ${JSON.stringify(lines[wrong])}`);
  }

  /** Tells its program to go on once the daemon is dead, and waits for its end. */
  async function endWithoutDaemon(name: string): Promise<void> {
    const pid = await machine.must(`docker inspect --format '{{.State.Pid}}' ${name}`);
    await machine.daemon.kill();
    const script = `touch /proc/${pid}/root/go; while [ -d /proc/${pid} ]; do sleep 0.1; done`;
    const { code, stderr } = await machine.world.run(['timeout', '120', 'sh', '-c', script]);
    assert.equal(code, 0, stderr);
  }

  test('a container that ends while no daemon runs keeps its exit code and its log', async () => {
    await machine.must(`docker run -d --name ends busybox sh -c '${untilTold}; echo last words; exit 7'`);
    await endWithoutDaemon('ends');
    const backMs = Date.now();
    await machine.daemon.start();
    const finished = await machine.must("docker inspect --format '{{.State.FinishedAt}}' ends");
    assert.ok(
      Date.parse(finished) <= backMs,
      `finished at ${finished}, before ${new Date(backMs).toISOString()}`,
    );
    assert.equal(
      await machine.must("docker inspect --format '{{.State.Status}} {{.State.ExitCode}}' ends"),
      'exited 7',
    );
    assert.equal(await machine.must('docker wait ends'), '7');
    assert.equal(await machine.must('docker logs ends'), 'last words');
    await machine.must('docker rm ends');
  });

  test('--rm is honoured for a container that ends while no daemon runs', async () => {
    await machine.must(`docker run -d --rm --name vanishes busybox sh -c '${untilTold}'`);
    await endWithoutDaemon('vanishes');
    await machine.daemon.start();
    await settled(async () => assert.equal(await machine.must('docker ps -aq --filter name=vanishes'), ''));
  });

  test('restart policies are honoured after a crash', async () => {
    await machine.must(`docker run -d --name always --restart always busybox sh -c '${untilTold}; exit 1'`);
    await endWithoutDaemon('always');
    await machine.daemon.start();
    await settled(async () =>
      assert.match(
        await machine.must("docker inspect --format '{{.State.Status}}' always"),
        /running|restarting/,
      ),
    );
    await machine.must('docker rm -f always');
  });

  test('attach, exec, logs -f and stop work on an adopted container', async () => {
    await machine.must(
      "docker run -d -i --name adopted busybox sh -c 'while read l; do echo got $l; done; exit 4'",
    );
    await machine.daemon.kill();
    await machine.daemon.start();
    assert.equal(await machine.must('docker exec adopted echo inside'), 'inside');
    const attached = await machine.shell(
      '(echo hello; sleep 1) | timeout -s KILL 3 docker attach adopted',
      20_000,
    );
    assert.match(attached.stdout, /got hello/);
    assert.equal(await machine.must('docker logs adopted | head -n 1'), 'got hello');
    await machine.must('docker stop -t 0 adopted; docker rm adopted');
  });

  /** dockerd forgets them, and its events give all of them 127. */
  test('execs outlive the daemon, and end with their exit codes', {
    skip: daemonKind === 'dockerd',
  }, async () => {
    await machine.must('docker run -d --name holds busybox sleep 300');
    const program = (code: number) =>
      `holds sh -c 'touch /${code}; until [ -f /go ]; do echo tick; sleep 0.1; done; exit ${code}'`;
    const clients = [
      machine.shell(`docker exec ${program(7)}`),
      machine.shell(`docker exec -t ${program(8)}`),
      machine.shell(`docker exec -d ${program(9)}`),
    ];
    await settled(async () => void (await machine.must('docker exec holds ls /7 /8 /9')));
    const execs = JSON.parse(
      await machine.must("docker inspect --format '{{json .ExecIDs}}' holds"),
    ) as string[];
    assert.equal(execs.length, 3);
    const field = async (name: string) => {
      const answers = execs.map(id =>
        machine.must(`curl -s --unix-socket ${machine.daemon.socket} http://d/exec/${id}/json`),
      );
      return (await Promise.all(answers)).map(answer => JSON.parse(answer)[name]);
    };
    await machine.daemon.kill();
    await Promise.all(clients);
    await machine.daemon.start();
    assert.deepEqual(await field('Running'), [true, true, true]);
    await machine.must('docker exec holds touch /go');
    await settled(async () => assert.deepEqual(await field('Running'), [false, false, false]));
    // Nobody but the kernel saw the end of the one that had a client and no terminal.
    const held = isKernelAtLeast(6, 15) ? 7 : 137;
    assert.deepEqual((await field('ExitCode')).sort(), [held, 8, 9].sort());
    await machine.must('docker rm -f holds');
  });

  test('SIGTERM leaves containers running, too', async () => {
    await machine.daemon.kill('SIGTERM');
    assert.equal(await machine.fetch('http://127.0.0.1:18080/'), 'standing');
    await machine.daemon.start();
    assert.equal(await machine.must("docker inspect --format '{{.State.Running}}' bystander"), 'true');
  });

  test('when all is removed, nothing is left', async () => {
    await machine.must('docker rm -fv $(docker ps -aq)');
    await settled(async () => assert.deepEqual(await leftovers(machine), []));
  });
});

function isKernelAtLeast(major: number, minor: number): boolean {
  const [ourMajor = 0, ourMinor = 0] = release().split('.').map(Number);
  return ourMajor > major || (ourMajor === major && ourMinor >= minor);
}
