import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { repository } from '../support/daemon.ts';
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

  test('a volume whose data is gone is told, and can be removed', async () => {
    await machine.must('docker volume create lost');
    rmSync(await machine.must("docker volume inspect -f '{{.Mountpoint}}' lost"), { recursive: true });
    await assert.rejects(
      machine.must('docker run --rm -v lost:/data busybox true'),
      /error evaluating symlinks from mount source ".*lost\/_data": lstat .*: no such file or directory/,
    );
    await machine.must('docker volume rm lost');
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
    const list = 'busybox ls /d/below';
    assert.equal(await machine.must(`docker run --rm -v ${source}:/d ${list}`), 'x');
    const alone = `--mount type=bind,src=${source},dst=/d,bind-recursive=disabled`;
    assert.equal(await machine.must(`docker run --rm ${alone} ${list}`), '');
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

  test('a volume is copied, kept and renamed with gantry, and containers follow', async () => {
    await machine.gantry('volume create --owner 1000:1000 --mode 0750 data');
    await machine.must('docker run -d --name writer -v data:/data busybox sleep 600');
    // Asked for at its creation, so not what the image has there.
    assert.equal(await machine.must("docker exec writer stat -c '%u:%g %a' /data"), '1000:1000 750');
    await machine.must("docker exec writer sh -c 'echo first > /data/f'");
    assert.equal(await machine.gantry('volume snapshot data one'), 'one');
    assert.equal(await machine.must("docker inspect -f '{{.State.Status}}' writer"), 'running');
    await machine.must("docker exec writer sh -c 'echo second > /data/f'");
    assert.equal(await machine.gantry('volume clone --label of=data data twin'), 'twin');
    for (const change of ['restore data one', 'rename data moved'])
      await assert.rejects(machine.gantry(`volume ${change}`), /volume is in use/);
    await machine.must('docker stop -t 0 writer');
    await machine.gantry('volume restore data one');
    await machine.gantry('volume rename data moved');
    assert.equal(await machine.gantry('volume snapshots -q moved'), 'one');
    await machine.must('docker start writer');
    assert.equal(await machine.must('docker exec writer cat /data/f'), 'first');
    assert.match(await machine.must("docker inspect -f '{{json .HostConfig.Binds}}' writer"), /moved:\/data/);
    assert.equal(await machine.must('docker run --rm -v twin:/t busybox cat /t/f'), 'second');
    await machine.gantry('volume export -o twin.tar twin');
    assert.equal(await machine.gantry('volume import back twin.tar'), 'back');
    assert.equal(
      await machine.must("docker run --rm -v back:/t busybox sh -c 'cat /t/f; stat -c %u:%a /t'"),
      'second\n1000:750',
    );
    await assert.rejects(machine.gantry('volume import back twin.tar'), /volume back exists already/);
    await machine.must('echo nonsense > broken.tar');
    await assert.rejects(machine.gantry('volume import bad broken.tar'), /bad/);
    await machine.gantry('volume rm-snapshot moved one');
    await machine.must('docker rm -f writer; docker volume rm moved twin back');
    assert.equal(await machine.must('docker volume ls -q'), '');
  });

  test('a volume plugin that Docker would find is used, and gets its volumes back', async () => {
    const { world } = machine;
    const shelf = world.path('shelf');
    const program = [process.execPath, `${repository}/test/support/volume-plugin.ts`];
    const plugin = world.inside([...program, '/run/docker/plugins/shelf.sock', shelf]);
    const child = spawn(plugin[0]!, plugin.slice(1), { stdio: 'ignore' });
    try {
      const listens =
        'for n in $(seq 600); do [ -S /run/docker/plugins/shelf.sock ] && break; sleep 0.1; done';
      await world.run(['sh', '-c', listens]);
      await machine.must('docker volume create -d shelf books');
      await machine.must("docker run --rm -v books:/b busybox sh -c 'echo read > /b/f'");
      assert.equal(await machine.must(`cat ${shelf}/books/f`), 'read');
      await machine.must('docker run -d --name reader -v books:/b busybox sleep 600');
      assert.match(await machine.must('docker volume inspect books'), /"users": 1/);
      await machine.must('docker rm -f reader');
      assert.match(await machine.must('docker volume inspect books'), /"users": 0/);
      await machine.must('docker volume rm books');
    } finally {
      child.kill('SIGKILL');
    }
  });
});
