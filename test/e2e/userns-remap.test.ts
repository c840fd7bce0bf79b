import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { leftovers } from './leftovers.ts';
import { daemonKind, Machine, ownAccounts } from './machine.ts';

describe(`user namespaces, against ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;
  /** A path on disk by its inode, so that the host's own look-ups are not in the way. */
  const owner = (path: string) => machine.must(`stat -c '%u:%g' ${path}`);

  before(async () => {
    machine = await Machine.start('userns', {
      prepare: ownAccounts,
      daemonArguments: ['--userns-remap', 'default'],
    });
  });
  after(() => machine?.stop());

  test('the account is made, its ids are those of containers, and info says so', async () => {
    const { stdout } = await machine.world.run(['grep', '-h', 'dockremap', '/etc/subuid', '/etc/subgid']);
    const [first] = stdout.split('\n');
    const [, start, size] = first!.split(':');
    const map = await machine.must('docker run --rm busybox cat /proc/self/uid_map /proc/self/gid_map');
    const expected = ['0', start, size];
    assert.deepEqual(
      map.split('\n').map(line => line.trim().split(/\s+/)),
      [expected, expected],
    );
    assert.match(await machine.must("docker info --format '{{json .SecurityOptions}}'"), /"name=userns"/);
  });

  test("root inside is nobody's root outside", async () => {
    await machine.must('docker run -d --name one busybox sleep 600');
    const pid = await machine.must("docker inspect --format '{{.State.Pid}}' one");
    const { stdout } = await machine.world.run(['grep', '^Uid', `/proc/${pid}/status`]);
    assert.match(stdout, /^Uid:\t(\d{6,})\t\1\t\1\t\1\n/);
    assert.equal(await machine.must('docker exec one id -u'), '0');
    await machine.must('docker rm -f one');
  });

  test('files have the owners that the image gives them, new ones those of the process', async () => {
    const list = "stat -c '%u:%g' /etc/passwd /home/app /mine /theirs /etc/hosts";
    assert.equal(
      await machine.must(
        `docker run --rm busybox sh -c 'touch /mine /theirs; chown 5:6 /theirs; echo >> /etc/hosts; ${list}'`,
      ),
      '0:0\n1000:1000\n0:0\n5:6\n0:0',
    );
  });

  test('streams can be opened by name, in run and exec', async () => {
    const write = "sh -c 'echo out > /dev/stdout; echo err > /dev/stderr'";
    for (const user of ['0', '1000']) {
      assert.equal(await machine.must(`docker run --rm -u ${user} busybox ${write} 2>&1 | sort`), 'err\nout');
    }
    await machine.must('docker run -d --name one busybox sleep 600');
    for (const user of ['0', '1000']) {
      assert.equal(await machine.must(`docker exec -u ${user} one ${write} 2>&1 | sort`), 'err\nout');
      assert.equal(await machine.must(`echo in | docker exec -i -u ${user} one cat /dev/stdin`), 'in');
    }
    await machine.must('docker rm -f one');
    assert.equal(await owner('/dev/null'), '0:0');
  });

  test('what is the host alone is refused, and --userns=host brings it back', async () => {
    const refused: [string, RegExp][] = [
      ['--privileged', /privileged mode is incompatible with user namespaces/],
      ['--network host', /cannot share the host's network namespace when user namespaces are enabled/],
      ['--pid host', /cannot share the host PID namespace when user namespaces are enabled/],
    ];
    for (const [flag, words] of refused) {
      const { code, stderr } = await machine.shell(`docker run --rm ${flag} busybox true`);
      assert.equal(code, 125);
      assert.match(stderr, words);
    }
    const map = 'docker run --rm --userns host --network host --pid host busybox cat /proc/self/uid_map';
    assert.match(await machine.must(map), /^ +0 +0 4294967295$/);
  });

  test('namespaces are shared among containers of the same user namespace', async () => {
    await machine.must('docker run -d --name one --ipc shareable busybox sleep 600');
    for (const flag of ['--network', '--pid', '--ipc']) {
      await machine.must(`docker run --rm ${flag} container:one busybox true`);
    }
    await machine.must('docker run -d --name two --userns host busybox sleep 600');
    assert.equal((await machine.shell('docker run --rm --network container:two busybox true')).code, 125);
    await machine.must('docker rm -f one two');
  });

  test('a bind mount keeps the owners of the host, and a volume those of the container', async () => {
    writeFileSync(machine.world.path('work', 'bound'), 'x');
    const bound = `docker run --rm -v ${machine.world.path('work', 'bound')}:/f busybox`;
    assert.equal(await machine.must(`${bound} stat -c '%u:%g' /f`), '65534:65534');
    assert.notEqual((await machine.shell(`${bound} sh -c 'echo >> /f'`)).code, 0);
    const volume = 'docker run --rm -v shared:/home/app busybox';
    assert.equal(
      await machine.must(
        `${volume} sh -c "touch /home/app/f; chown 7:8 /home/app/f; stat -c '%u:%g' /home/app /home/app/f"`,
      ),
      '1000:1000\n7:8',
    );
  });

  // dockerd keeps another set of images and volumes for every mapping; here there is one.
  test('containers with and without the namespace share images and volumes', {
    skip: daemonKind !== 'gantryd',
  }, async () => {
    const list = "stat -c '%u:%g' /etc/passwd /home/app /home/app/f";
    const run = (flags: string) =>
      machine.must(`docker run --rm ${flags} -v shared:/home/app busybox ${list}`);
    assert.equal(await run(''), '0:0\n1000:1000\n7:8');
    assert.equal(await run('--userns host'), '0:0\n1000:1000\n7:8');
  });

  for (const state of ['running', 'stopped'] as const) {
    test(`cp, export, commit and diff of a ${state} container`, async () => {
      await machine.must(
        "docker run -d --name one busybox sleep 600; docker exec one sh -c 'echo inside > /made; chown 5:6 /made'",
      );
      if (state === 'stopped') await machine.must('docker kill one && docker wait one');
      const tar = "tar -tvf - --numeric-owner | awk '{print $2, $6}'";
      writeFileSync(machine.world.path('work', 'brought'), 'x');
      await machine.must('chown 55:66 brought; docker cp -a brought one:/brought');
      assert.equal(await machine.must(`docker cp one:/made - | ${tar}`), '5/6 made');
      assert.equal(
        await machine.must(`docker export one | ${tar} | grep -E ' (made|brought|etc/passwd)$' | sort`),
        '0/0 etc/passwd\n5/6 made\n55/66 brought',
      );
      assert.equal(await machine.must('docker diff one'), 'A /brought\nA /made');
      await machine.must('docker commit one committed');
      const list = "stat -c '%u:%g' /made /brought /etc/passwd";
      assert.equal(await machine.must(`docker run --rm committed ${list}`), '5:6\n55:66\n0:0');
      await machine.must('docker rm -f one; docker rmi committed');
    });
  }

  test('a build runs in it and its image has plain owners', async () => {
    writeFileSync(machine.world.path('work', 'brought'), 'x');
    writeFileSync(
      machine.world.path('work', 'Dockerfile'),
      `FROM busybox
WORKDIR /made/by/workdir
RUN test $(awk '{print $2}' /proc/self/uid_map) -gt 0
COPY --chown=5:6 brought /copied
RUN touch /ran && echo to-stderr > /dev/stderr
`,
    );
    await machine.must('DOCKER_BUILDKIT=0 docker build -t built .');
    const list = "docker run --rm built stat -c '%u:%g' /made/by/workdir /copied /ran";
    assert.equal(await machine.must(list), '0:0\n5:6\n0:0');
    await machine.must('docker rmi built');
  });

  test('secrets belong to ids of the container', { skip: daemonKind !== 'gantryd' }, async () => {
    await machine.must('printf sesame | docker secret create db -');
    const run = (flags: string, command: string) =>
      machine.shell(
        `docker run --rm ${flags} --label 'io.gantry.secrets=db;db,target=/key,uid=1000,gid=7,mode=0400' busybox ${command}`,
      );
    const both = 'sh -c "stat -c \'%u:%g %a\' /run/secrets/db /key; cat /run/secrets/db /key"';
    for (const flags of ['', '--userns host', '--read-only', '-u 1000 --cap-drop ALL']) {
      const { stdout, stderr } = await run(flags, both);
      assert.equal(stdout, '0:0 444\n1000:7 400\nsesamesesame', `${flags}: ${stderr}`);
    }
    const { stderr } = await run('-u 1001', 'cat /key');
    assert.match(stderr, /Permission denied/);
    const outside = "docker run --rm --label 'io.gantry.secrets=db,uid=70000' busybox true";
    assert.match((await machine.shell(outside)).stderr, /uid 70000 is not in the container's user namespace/);
    await machine.must('docker secret rm db');
  });

  test('logs, ports, limits and health work', async () => {
    await machine.must(
      `docker run -d --name one -p 18080:80 --memory 64m --pids-limit 20 --health-cmd 'test -e /www/index.html' busybox \
         sh -c 'mkdir /www; echo page > /www/index.html; echo ready; httpd -f -p 80 -h /www'`,
    );
    assert.equal(await machine.fetch('http://127.0.0.1:18080/index.html'), 'page');
    assert.equal(await machine.must('docker logs one'), 'ready');
    assert.match(await machine.must('docker stats --no-stream --format {{.MemUsage}} one'), /64MiB/);
    await machine.must('docker rm -f one');
  });

  test('it survives the daemon', { skip: daemonKind !== 'gantryd' }, async () => {
    await machine.must('docker run -d --name one -v shared:/v busybox sleep 600');
    await machine.daemon.kill();
    await machine.daemon.start();
    assert.equal(await machine.must("docker exec one stat -c '%u:%g' /v/f"), '7:8');
    await machine.must('docker cp one:/v/f - >/dev/null; docker restart -t 0 one');
    assert.equal(await machine.must("docker exec one stat -c '%u:%g' /v/f"), '7:8');
    await machine.must('docker rm -f one');
    if (daemonKind === 'gantryd') assert.deepEqual(await leftovers(machine), []);
  });
});
