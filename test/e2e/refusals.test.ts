import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { daemonProgram } from '../support/daemon.ts';
import { daemonKind, Machine } from './machine.ts';

describe(`what ${daemonKind} refuses, with nothing lost`, { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('refusals');
  });
  after(() => machine?.stop());

  test('a second daemon on the same data-root says so and ends; the first goes on', async () => {
    const { world, socket } = machine.daemon;
    const second = [
      ...daemonProgram(daemonKind),
      '--data-root',
      world.path('data'),
      '--exec-root',
      world.path('exec-2'),
    ];
    const where = ['-H', `unix://${socket}-2`, '--pidfile', world.path('second.pid')];
    const outcome = await world.run(['timeout', '60', ...second, ...where], { timeoutMs: 120_000 });
    assert.notEqual(outcome.code, 0);
    assert.notEqual(outcome.code, 124, 'it went on running');
    assert.match(outcome.stderr + outcome.stdout, /in use|already (?:running|using)|another daemon|lock/i);
    assert.equal(await machine.must('docker run --rm busybox echo still here'), 'still here');
  });

  test('a second daemon with the same pid file', async () => {
    const { world, socket } = machine.daemon;
    const second = [
      ...daemonProgram(daemonKind),
      '--data-root',
      world.path('data-3'),
      '--exec-root',
      world.path('exec-3'),
    ];
    const where = ['-H', `unix://${socket}-3`, '--pidfile', world.path('daemon.pid')];
    const outcome = await world.run(['timeout', '60', ...second, ...where], { timeoutMs: 120_000 });
    assert.ok(outcome.code !== 0 && outcome.code !== 124, outcome.stderr);
    assert.match(outcome.stderr + outcome.stdout, /pid file found|is (?:still )?running|in use/i);
  });

  test('a flag that does not exist', async () => {
    const outcome = await machine.world.run([
      'timeout',
      '60',
      ...daemonProgram(daemonKind),
      '--no-such-flag',
    ]);
    assert.ok(outcome.code !== 0 && outcome.code !== 124);
    assert.match(outcome.stderr, /no-such-flag/);
  });
});

describe(`registries that misbehave, against ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('lies');
    const script = join(import.meta.dirname, 'lying-registry.ts');
    const argv = machine.world.inside([process.execPath, script, '5001']);
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise(resolve => child.stdout.once('data', resolve));
  });
  after(() => machine?.stop());

  const cases: [tag: string, what: string, message: RegExp][] = [
    ['wrong-layer', 'a layer that is not what its digest says', /digest|verif|mismatch|corrupt/i],
    [
      'wrong-config',
      'a configuration that is not what its digest says',
      /digest|verif|mismatch|corrupt|invalid/i,
    ],
    ['cut-layer', 'a stream that ends early', /EOF|closed|aborted|reset|short|cut|retr|206/i],
    ['garbage-layer', 'a layer that is no archive', /gzip|tar|archive|unexpected|invalid|header/i],
    ['garbage-manifest', 'a manifest that is no JSON', /invalid|manifest|JSON|unsupported|unexpected/i],
    ['error-500', 'a registry with an error of its own', /500|error|retr|toomany|unavailable/i],
    ['climbing-layer', 'a layer that climbs out of its root', /.*/],
  ];
  for (const [tag, what, message] of cases) {
    test(`${what}: an error, and no image`, { timeout: 120_000 }, async () => {
      const outcome = await machine.shell(`docker pull localhost:5001/lie:${tag}`, 110_000);
      if (tag !== 'climbing-layer') {
        assert.notEqual(outcome.code, 0, outcome.stdout);
        assert.match(outcome.stderr, message);
        assert.equal(await machine.must(`docker images -q localhost:5001/lie:${tag}`), '');
      }
      const escaped = await machine.world.run([
        'sh',
        '-c',
        `ls -d /gantry-escape* ${machine.world.directory}/gantry-escape* 2>/dev/null`,
      ]);
      assert.equal(escaped.stdout, '');
    });
  }

  test('the truth is still accepted afterwards', async () => {
    await machine.must('docker pull -q localhost:5001/lie:truth');
    assert.equal(
      await machine.must("docker inspect --format '{{json .Config.Cmd}}' localhost:5001/lie:truth"),
      '["true"]',
    );
  });
});

describe(`a full disk, against ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    const sizeMb = 96;
    machine = await Machine.start('full-disk', {
      registry: true,
      prepare: `truncate -s ${sizeMb}M disk; mkfs.ext4 -q disk; mount -o loop disk data || mount -t tmpfs -o size=${sizeMb}M tmpfs data`,
    });
  });
  after(() => machine?.stop());

  const used = async (): Promise<number> => {
    const outcome = await machine.world.run(['df', '-k', '--output=used', machine.world.path('data')]);
    return Number(outcome.stdout.trim().split('\n').at(-1));
  };

  test('load, build and import fail with the reason, and give back what they took', {
    timeout: 120_000,
  }, async () => {
    const before = await used();
    await machine.must('mkdir big; head -c 120000000 /dev/urandom > big/f; tar -cf big.tar -C big f');
    for (const line of [
      'docker import big.tar toobig:1',
      "printf 'FROM busybox\\nRUN dd if=/dev/zero of=/f bs=1M count=120\\n' | docker build --no-cache -t toobig:2 -",
    ]) {
      const outcome = await machine.shell(line);
      assert.notEqual(outcome.code, 0, line);
      assert.match(outcome.stderr + outcome.stdout, /no space left on device/i, line);
    }
    assert.equal(await machine.must('docker images -q toobig'), '');
    await machine.must(
      'docker container prune -f; docker image prune -f; docker builder prune -af 2>/dev/null || :',
    );
    for (let attempt = 0; attempt < 300 && (await used()) > before + 4096; attempt++) await sleep(200);
    assert.ok((await used()) <= before + 4096, `${before} KB were used before, ${await used()} after`);
  });

  test('a container that fills the disk gets the error; the daemon goes on and can be emptied', {
    timeout: 120_000,
  }, async () => {
    await machine.must('docker create --name spare busybox true');
    const filled = await machine.shell(
      "docker run --name filler busybox sh -c 'dd if=/dev/zero of=/f bs=1M count=200 2>&1'",
    );
    assert.match(filled.stdout, /No space left on device/);
    assert.match(await machine.must('docker ps -a'), /filler/);
    await machine.must('docker rm filler');
    assert.equal(await machine.must('docker run --rm busybox echo fine'), 'fine');
  });

  test('a daemon starts on a full disk', { timeout: 120_000 }, async () => {
    await machine.world.run([
      'sh',
      '-c',
      `dd if=/dev/zero of=${machine.world.path('data/filler')} bs=64k 2>/dev/null`,
    ]);
    await machine.daemon.kill();
    await machine.daemon.start();
    assert.match(await machine.must('docker ps -a'), /spare/);
    await machine.world.run(['rm', machine.world.path('data/filler')]);
    assert.equal(await machine.must('docker run --rm busybox echo fine'), 'fine');
  });
});
