import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { daemonKind, Machine } from './machine.ts';

describe('mounts and volumes', {
  concurrency: false,
  skip: daemonKind === 'dockerd' && 'what dockerd 20.10 has not',
}, () => {
  let machine: Machine;

  before(async () => {
    machine = await Machine.start('volumes');
  });
  after(() => machine?.stop());

  test('an image is mounted read-only and held, in whole and in part, also for --volumes-from and cp', async () => {
    await machine.must('docker tag busybox other');
    const mount = '--mount type=image,src=other,dst=/img';
    await machine.gantry(`create --name whole ${mount} busybox sh -c "ls /img/bin/sh; touch /img/x"`);
    await machine.gantry(`create --name part ${mount},image-subpath=bin busybox ls /img/sh`);
    const refused = await machine.shell('docker rmi other busybox');
    assert.match(refused.stderr, /is using its referenced image/);
    await machine.must('docker rmi -f other');
    const whole = await machine.shell('docker start -a whole');
    assert.equal(whole.stdout, '/img/bin/sh\n');
    assert.match(whole.stderr, /Read-only file system/);
    assert.equal(await machine.must('docker start -a part'), '/img/sh');
    assert.equal(
      await machine.must('docker run --rm --volumes-from whole busybox ls /img/bin/sh'),
      '/img/bin/sh',
    );
    assert.equal(await machine.must('docker cp whole:/img/bin/busybox - | tar -tf -'), 'busybox');
    assert.equal(
      await machine.must("docker inspect -f '{{range .Mounts}}{{.Type}} {{.Name}} {{.RW}}{{end}}' part"),
      'image other false',
    );
    await machine.must('docker rm whole part');
    await assert.rejects(machine.gantry(`create ${mount},image-subpath=../x busybox`), /relative path/);
    await assert.rejects(
      machine.gantry('create --mount type=image,src=nosuch,dst=/i busybox'),
      /No such image/,
    );
  });

  test('what is mounted below a read-only directory is read-only, unless that is asked for', async () => {
    const source = machine.world.path('work', 'above');
    mkdirSync(`${source}/below`, { recursive: true });
    await machine.world.run(['mount', '-t', 'tmpfs', 'tmpfs', `${source}/below`]);
    writeFileSync(machine.world.path('work', 'single'), 'single\n');
    const touch = 'busybox touch /d/below/x';
    await assert.rejects(machine.must(`docker run --rm -v ${source}:/d:ro ${touch}`), /Read-only/);
    const bind = `--mount type=bind,src=${source},dst=/d,readonly`;
    await machine.gantry(`run --rm ${bind},bind-recursive=writable ${touch}`);
    await assert.rejects(
      machine.gantry(`run --rm ${bind},bind-recursive=readonly,bind-propagation=rprivate ${touch}`),
      /Read-only/,
    );
    assert.equal(await machine.must('docker run --rm -v $PWD/single:/s:ro busybox cat /s'), 'single');
  });

  test('a source where no directory can be made is refused, and the daemon goes on', async () => {
    await assert.rejects(
      machine.must('docker run --rm -v /proc/nosuch/deeper:/d busybox true'),
      /error while creating mount source path '\/proc\/nosuch\/deeper'/,
    );
    await machine.must('docker version');
  });
});
