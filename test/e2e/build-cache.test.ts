import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { repository } from '../support/daemon.ts';
import { registryAddress } from '../support/registry.ts';
import { Machine } from './machine.ts';

const build = 'DOCKER_BUILDKIT=0 docker build';

/** What the builder keeps, and what it takes from elsewhere, by the real client. */
describe('the build cache', { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('build-cache', { registry: true });
    const directory = machine.world.path('work/app');
    mkdirSync(directory);
    writeFileSync(
      `${directory}/Dockerfile`,
      'FROM busybox\nCOPY a /a\nRUN cat /proc/sys/kernel/random/uuid > /made\n',
    );
    writeFileSync(`${directory}/a`, 'A');
    // A fresh checkout makes the bundle now, not within a test's time.
    await machine.must(`${repository}/gantry setup`);
  });
  after(() => machine?.stop());

  test('--cache-from an image in a registry that was built with an inline cache', async () => {
    const name = `${registryAddress}/app`;
    await machine.must(`${build} -t ${name} --build-arg BUILDKIT_INLINE_CACHE=1 app`);
    const id = await machine.must(`docker inspect -f '{{.Id}}' ${name}`);
    await machine.must(`docker push -q ${name}`);
    const used = await machine.must('docker system df --format "{{.Type}} {{.TotalCount}}"');
    assert.match(used, /Build Cache 2/);
    await machine.must(`docker rmi ${name} && docker builder prune -af`);
    const output = await machine.must(
      `${build} -t again --build-arg BUILDKIT_INLINE_CACHE=1 --cache-from ${name} app`,
    );
    assert.equal(output.match(/Using cache/g)?.length, 2, output);
    assert.equal(await machine.must("docker inspect -f '{{.Id}}' again"), id);
  });

  test('--cache-to and --cache-from a registry by BuildKit', async () => {
    const ref = `type=registry,ref=${registryAddress}/cache:main`;
    const gantryBuild = `DOCKER_BUILDKIT=1 ${repository}/gantry build --progress plain -t cached app`;
    await machine.must(`${gantryBuild} --cache-to ${ref},mode=max 2>&1`);
    const id = await machine.must("docker inspect -f '{{.Id}}' cached");
    await machine.must('docker rmi -f cached again; docker builder prune -af');
    const output = await machine.must(`${gantryBuild} --cache-from ${ref} 2>&1`);
    assert.equal(output.match(/ CACHED\n/g)?.length, 3, output);
    assert.equal(await machine.must("docker inspect -f '{{.Id}}' cached"), id);
  });

  test('gantry build --on-error=shell opens a shell where the RUN failed', async () => {
    const directory = machine.world.path('work/failing');
    mkdirSync(directory);
    writeFileSync(
      `${directory}/Dockerfile`,
      'FROM busybox\nENV KNOWN=yes\nWORKDIR /at\nRUN echo half > made && exit 3\n',
    );
    for (const buildkit of [0, 1]) {
      const build = `DOCKER_BUILDKIT=${buildkit} ${repository}/gantry build --on-error=shell failing`;
      const typed = 'echo "$KNOWN $(cat made) $(tty) $(stty size)"; exit';
      const said = await machine.must(`mkfifo keys
script -qfec 'stty rows 30 cols 90; ${build}' /dev/null < keys > said & build=$!
exec 3> keys
until grep -q 'This is a shell' said; do kill -0 $build || { cat said; exit 1; }; sleep 0.1; done
printf '%s\\r' '${typed}' >&3
wait $build; exec 3>&-; rm keys; cat said`);
      assert.match(said, /The command ended with 3\./);
      assert.match(said, /\nyes half \/dev\/pts\/0 30 90\r?\n/);
      assert.match(said, /non-zero code: 3|exit code: 3/);
    }
  });

  test('a step says over HTTP why it was built', async () => {
    writeFileSync(machine.world.path('work/app/a'), 'B');
    const answer = await machine.must(
      'tar -C app -c . | curl -sS --unix-socket "${DOCKER_HOST#unix://}" -H "Content-Type: application/x-tar" --data-binary @- "http://d/build?explain=1&t=again"',
    );
    const reasons = answer
      .split('\n')
      .map(line => JSON.parse(line))
      .filter(message => message.id === 'gantry.explain')
      .map(({ aux }) => `${aux.Step}/${aux.Total} ${aux.Hit} ${aux.Reason}`);
    writeFileSync(machine.world.path('work/app/a'), 'C');
    const told = await machine.must(
      `DOCKER_BUILDKIT=1 ${repository}/gantry build --explain -t again app 2>&1`,
    );
    assert.match(told, /not cached: a changed/);
    assert.match(told, /not cached: COPY a \/a, on which it builds, was built anew/);
    assert.deepEqual(reasons, [
      '1/3 true nothing it depends on has changed',
      '2/3 false a changed',
      '3/3 false COPY a /a, on which it builds, was built anew',
    ]);
  });
});
