import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { daemonKind, Machine } from './machine.ts';

/** A data-root of its own file system, small, and full but for what the daemon needs to say so. */
describe('a small disk, full during everything that writes', {
  concurrency: false,
  skip: daemonKind === 'dockerd' && 'it has no budget',
}, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('small-disk', {
      registry: true,
      prepare:
        'truncate -s 256M disk; mkfs.ext4 -q disk; mount -o loop disk data || mount -t tmpfs -o size=256M tmpfs data',
      daemonArguments: ['--disk-budget', 'keep-free=24MB', '--disk-budget', 'unused-for=0s'],
    });
    await machine.must('docker create --name spare busybox true');
    await machine.must('head -c 30000000 /dev/urandom > big; tar -cf big.tar big');
    await machine.must('docker import big.tar localhost:5000/big:1; docker push -q localhost:5000/big:1');
    await machine.must('docker rmi localhost:5000/big:1');
  });
  after(() => machine?.stop());

  const filler = () => machine.world.path('data/filler');
  const fill = (leaveKb: number) =>
    machine.world.run([
      'sh',
      '-c',
      `free=$(df -k --output=avail ${machine.world.path('data')} | tail -n 1); dd if=/dev/zero of=${filler()} bs=1k count=$((free - ${leaveKb})) 2>/dev/null`,
    ]);
  const empty = () => machine.world.run(['rm', '-f', filler()]);

  test('pull, build, logs and volumes: each says that the disk is full, nothing is broken, and it goes on', async () => {
    await fill(8_000);
    const pulled = await machine.shell('docker pull localhost:5000/big:1');
    assert.notEqual(pulled.code, 0);
    assert.match(
      pulled.stdout + pulled.stderr,
      /no space left on device: free some, for example with "docker system prune"/,
    );
    const built = await machine.shell(
      "printf 'FROM busybox\\nRUN dd if=/dev/zero of=/f bs=1M count=20\\n' | docker build --no-cache -",
    );
    assert.notEqual(built.code, 0);
    assert.match(built.stdout + built.stderr, /no space left on device/i);
    const written = await machine.shell(
      'docker run --rm -v store:/v busybox dd if=/dev/zero of=/v/f bs=1M count=20',
    );
    assert.match(written.stderr, /No space left on device/);
    await machine.must('docker volume rm store');
    // The log is lost where there is no room for it; the container and its exit code are not.
    const logged = await machine.shell(
      'docker run --name talker --log-opt max-size=100m busybox sh -c \'head -c 20000000 /dev/zero | tr "\\0" "a" | fold -w 100; exit 3\' | wc -c',
    );
    assert.equal(logged.code, 0);
    assert.equal(
      await machine.must("docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' talker"),
      'exited 3',
    );
    await machine.must('docker rm talker');
    await empty();
    await machine.must('docker pull -q localhost:5000/big:1');
    await machine.daemon.kill();
    await machine.daemon.start();
    assert.equal(await machine.must('docker run --rm busybox echo fine'), 'fine');
    assert.match(await machine.must('docker ps -a'), /spare/);
    await machine.must(
      'docker create --name whole localhost:5000/big:1 /x; docker cp whole:/big copy; cmp big copy',
    );
    await machine.must('docker rm whole');
  });

  test('below its budget of free space what nobody needs is removed, and nothing else', async () => {
    assert.notEqual(await machine.must('docker images -q localhost:5000/big'), '');
    await fill(10_000);
    // It is looked at every ten seconds, and after each tag.
    await machine.must('docker tag busybox again');
    const deadline = Date.now() + 120_000;
    while ((await machine.must('docker images -q localhost:5000/big')) !== '' && Date.now() < deadline)
      await sleep(500);
    assert.equal(await machine.must('docker images -q localhost:5000/big'), '');
    assert.notEqual(await machine.must('docker images -q busybox'), '');
    await empty();
    assert.equal(await machine.must('docker start -a spare; docker run --rm busybox echo fine'), 'fine');
  });
});
