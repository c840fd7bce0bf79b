import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { daemonKind, Machine } from './machine.ts';

/** Attacks that once broke out of containers; what they are after is a file of the host. */
describe(`attacks from inside a container, against ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;
  let loot: string;

  before(async () => {
    machine = await Machine.start('attacks');
    loot = machine.world.path('loot');
    mkdirSync(loot);
    writeFileSync(`${loot}/secret`, 'the host has been read\n');
    mkdirSync(machine.world.path('work', 'context'), { recursive: true });
    writeFileSync(machine.world.path('work', 'evil'), 'written from a container\n');
  });
  after(() => machine?.stop());

  test("the host's /dev/null stays root's, whoever runs programs without input", async () => {
    await machine.must(
      `docker run -d --name plain -u 1000:1000 busybox sleep 600;
       docker exec plain true; docker exec -d plain true; echo x | docker exec -i plain cat; docker exec plain cat`,
    );
    assert.equal(await machine.must("stat -c '%u:%g %a' /dev/null"), '0:0 666');
  });

  describe('CVE-2024-21626: a working directory that is an open descriptor of the runtime', () => {
    /** From a directory of the host, enough dots lead to its root. */
    const climb = () => `cat ${'../'.repeat(12)}${loot.slice(1)}/secret`;
    const descriptors = 'for n in 3 4 5 6 7 8 9 10 11 12; do';

    test('by run', async () => {
      const { stdout } = await machine.shell(
        `${descriptors} docker run --rm -w /proc/self/fd/$n busybox sh -c '${climb()}; pwd'; done; echo done`,
      );
      assert.match(stdout, /done\n$/);
      assert.doesNotMatch(stdout, /has been read/);
    });

    test('by exec, also through a link', async () => {
      await machine.must('docker run -d --name victim busybox sleep 600');
      await machine.must(
        `docker exec victim sh -c '${descriptors} ln -s /proc/self/fd/$n /link$n; done; mkdir -p ${loot}'`,
      );
      const { stdout } = await machine.shell(
        `${descriptors} for w in /proc/self/fd/$n /link$n; do docker exec -w $w victim sh -c '${climb()}; pwd'; done; done; echo done`,
      );
      assert.match(stdout, /done\n$/);
      assert.doesNotMatch(stdout, /has been read/);
      await machine.must('docker rm -f victim');
    });

    test('by a build', async () => {
      for (const n of [3, 7, 8, 9]) {
        writeFileSync(
          machine.world.path('work', 'context', 'Dockerfile'),
          `FROM busybox\nWORKDIR /proc/self/fd/${n}\nRUN ${climb()} || echo kept inside\n`,
        );
        const { stdout, stderr } = await machine.shell('docker build --no-cache context');
        assert.doesNotMatch(stdout + stderr, /has been read/);
      }
    });
  });

  test('CVE-2018-15664: a link put in place of a directory while docker cp walks there', async () => {
    // /w/x is by turns a directory and a link to the loot, which the container itself does not have.
    // What was copied into the directory is replaced each time.
    const swap = `mkdir -p /w/d; cd /w
      while :; do ln -s ${loot} n; mv -T n x; rm -rf x; mkdir -p d; echo mine > d/secret; mv -T d x; usleep 2000; mv -T x d; done`;
    await machine.must(`docker run -d --name swapper busybox sh -c '${swap.replaceAll('\n', ';')}'`);
    // At least 25 rounds, and as many more as it takes until the directory has won the race once.
    const { stdout } = await machine.shell(
      'n=0; seen=; while [ $n -lt 25 ] || { [ -z "$seen" ] && [ $n -lt 2000 ]; }; do n=$((n+1)); ' +
        'out=$(docker cp swapper:/w/x/secret - | tar -xO; docker cp swapper:/w/x - | tar -xO); ' +
        'case "$out" in *mine*) seen=1;; esac; echo "$out"; ' +
        'docker cp evil swapper:/w/x/; docker cp evil swapper:/w/x/secret; done; echo done',
    );
    assert.match(stdout, /done\n$/);
    assert.match(stdout, /mine/, 'the race was never won by the directory, so nothing was tested');
    assert.doesNotMatch(stdout, /has been read/);
    assert.deepEqual(readdirSync(loot), ['secret']);
    await machine.must('docker rm -f swapper');
  });

  test('a part of a volume that is a link to the host, in every place where links can be', {
    skip: daemonKind === 'dockerd' && 'dockerd has parts of volumes since version 26',
  }, async () => {
    const climb = `${'../'.repeat(12)}${loot.slice(1)}`;
    await machine.must(
      `docker run --rm -v parts:/v busybox sh -c 'mkdir -p /v/d; echo mine > /v/d/secret;
           ln -s ${loot} /v/straight; ln -s ${climb} /v/climbing; ln -s straight /v/twice; ln -s d /v/inside'`,
    );
    const part = (subpath: string) => `--mount type=volume,src=parts,dst=/x,volume-subpath=${subpath}`;
    const leading = ['straight', 'climbing', 'twice', 'straight/secret', 'd/../climbing/secret'];
    for (const subpath of leading) {
      const run = await machine.shell(`docker run --rm ${part(subpath)} busybox ls /x`);
      assert.match(run.stderr, /path concatenation escapes the base directory/, subpath);
      await machine.must(`docker create --name part ${part(subpath)} busybox`);
      const copy = await machine.shell(
        'docker cp part:/x -; docker cp part:/x/secret -; docker cp evil part:/x/',
      );
      assert.doesNotMatch(copy.stdout, /has been read/, subpath);
      await machine.must('docker rm part');
    }
    assert.deepEqual(readdirSync(loot), ['secret']);
    const outside = await machine.shell(`docker create ${part('d/../..')} busybox`);
    assert.match(outside.stderr, /subpath must be a relative path within the volume/);
    const missing = await machine.shell(`docker run --rm ${part('nosuch')} busybox true`);
    assert.match(missing.stderr, /cannot access path .*nosuch: no such file or directory/);
    for (const subpath of ['d', 'inside']) {
      assert.equal(await machine.must(`docker run --rm ${part(subpath)} busybox cat /x/secret`), 'mine');
    }
    assert.equal(await machine.must(`docker run --rm ${part('d/secret')} busybox cat /x`), 'mine');
    await machine.must(`docker create --name part ${part('d')} busybox`);
    assert.equal(
      await machine.must('docker cp part:/x/secret - | tar -xO; docker rm part >/dev/null'),
      'mine',
    );
    await machine.must('docker volume rm parts');
  });
});
