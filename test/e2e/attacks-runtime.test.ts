import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { busyboxArchive, packReproducibly } from '../support/base-images.ts';
import { runOrThrow } from '../support/run-program.ts';
import { daemonKind, Machine } from './machine.ts';

/**
 * More attacks that once got out of containers. Each test first shows that its attack was really tried: that the
 * bait was taken, or that the same thing works where it may.
 */
describe(`attacks on what runs containers, against ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;
  let loot: string;

  before(async () => {
    machine = await Machine.start('attacks-runtime');
    loot = machine.world.path('loot');
    mkdirSync(loot);
    writeFileSync(`${loot}/secret`, 'the host has been read\n');
  });
  after(() => machine?.stop());

  // An exec of /proc/self/exe is the OCI runtime itself, in the container; reading its input it stays there for as
  // long as it takes. dockerd's runc takes other arguments.
  test('CVE-2019-5736: the runtime, run in a container by /proc/self/exe, is overwritten', {
    skip: daemonKind !== 'gantryd',
  }, async () => {
    const libraries = ['/lib', '/lib64']
      .filter(path => existsSync(path))
      .map(path => `-v ${path}:${path}:ro`);
    await machine.must(`docker run -d --name victim ${libraries.join(' ')} busybox sleep 600`);
    const arguments_ = ['exec', '-i', 'victim', '/proc/self/exe', 'create', '-f', '/dev/stdin', 'x'];
    const lure = spawn('docker', arguments_, {
      env: machine.docker.env,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = new Promise(resolve => lure.once('exit', resolve));
    try {
      // Descriptor 9 keeps the file beyond the end of the process: a program cannot be written while it runs.
      const attack = `n=0
        while [ $n -lt 3000 ]; do
          for p in /proc/[0-9]*; do
            case "$(cat $p/cmdline 2>/dev/null | tr "\\0" " ")" in "/proc/self/exe create"*)
              exec 9<$p/exe
              kill -9 \${p#/proc/}
              while [ -e $p/exe ] && [ "$(readlink $p/exe)" ]; do usleep 1000; done
              echo "caught $(stat -L -c %d:%i /proc/self/fd/9)"
              (: >> /proc/self/fd/9) 2>&1 && echo "can be written"
              exit 0;;
            esac
          done
          n=$((n+1)); usleep 10000
        done`;
      const said = await machine.must(`docker exec victim sh -c '${attack}'`);
      assert.match(said, /^caught \d+:\d+$/m, 'the runtime never came into the container');
      const [, device, inode] = /caught (\d+):(\d+)/.exec(said)!;
      const runtimes = ['/usr/bin/crun', '/usr/sbin/runc', '/usr/bin/runc'].filter(path => existsSync(path));
      const isTheHosts = runtimes.some(path => {
        const stat = statSync(path);
        return String(stat.ino) === inode && String(stat.dev) === device;
      });
      assert.ok(!(isTheHosts && said.includes('can be written')), said);
    } finally {
      lure.stdin.end();
      await ended;
      await machine.must('docker rm -f victim');
    }
  });

  test("CVE-2026-41567: programs that unpack archives are looked up in the container's root", async () => {
    const names = ['unpigz', 'pigz', 'gzip', 'gunzip', 'xz', 'unxz', 'bzip2', 'zstd', 'tar', 'igzip'];
    const plant = names
      .map(name => `rm -f /usr/bin/${name} /bin/${name}; cp /trap /usr/bin/${name}; ln -s /trap /bin/${name}`)
      .join('; ');
    const trap = 'printf "#!/bin/busybox sh\\necho caught >> /caught\\n" > /trap; chmod 755 /trap';
    await machine.must(`docker run --name trapped busybox sh -c '${trap}; ${plant}'`);
    await machine.must('docker commit trapped trapped; docker rm trapped');
    await machine.must("docker run -d --name trapped trapped /bin/busybox sh -c 'busybox sleep 600'");
    // The traps work.
    await machine.must('docker exec trapped unpigz; docker exec trapped xz');
    assert.equal(await machine.must('docker exec trapped busybox wc -l /caught'), '2 /caught');
    await machine.must('docker exec trapped busybox rm /caught');
    await machine.must('mkdir -p packed; echo x > packed/unpacked; tar -cf plain.tar -C packed unpacked');
    for (const [program, file] of [
      ['gzip -c', 'plain.tar.gz'],
      ['xz -c', 'plain.tar.xz'],
      ['bzip2 -c', 'plain.tar.bz2'],
    ] as const) {
      await machine.must(`${program} plain.tar > ${file} && docker cp - trapped:/tmp < ${file}`);
      await machine.must('docker exec trapped busybox rm /tmp/unpacked');
    }
    await machine.must(
      'docker cp trapped:/etc - > /dev/null; docker export trapped > /dev/null; docker diff trapped',
    );
    writeFileSync(
      machine.world.path('work', 'packed', 'Dockerfile'),
      'FROM trapped\nADD plain.tar.gz /added/\nADD plain.tar.xz /added/\n',
    );
    await machine.must('cp plain.tar.gz plain.tar.xz packed; docker build -t added packed');
    for (const look of ['docker exec trapped', 'docker run --rm added']) {
      assert.equal(
        await machine.must(`${look} /bin/busybox sh -c 'busybox ls / | busybox grep -c caught; true'`),
        '0',
      );
    }
    assert.equal(await machine.must('docker run --rm added /bin/busybox ls /added'), 'unpacked');
    await machine.must('docker rm -f trapped; docker rmi added trapped');
  });

  describe('CVE-2025-31133 and CVE-2025-52565: links where the runtime looks for /dev/null and /dev/console', () => {
    // What is mounted at /dev can be another container's to change at any moment: the links stand for its best one.
    const target = '/proc/sys/kernel/core_pattern';
    const plant = (name: string) => `docker run --rm -v ${name}:/d busybox sh -c`;

    for (const [cve, name, flags, look] of [
      ['CVE-2025-31133: /dev/null', 'null', '', 'cat /proc/keys /proc/timer_list'],
      [
        'CVE-2025-52565: /dev/console',
        'console',
        '-t',
        `grep " ${target} " /proc/mounts; (: >> ${target}) && cat ${target}`,
      ],
    ] as const) {
      test(`${cve} is a link`, async () => {
        await machine.must(`${plant(`dev-${name}`)} 'ln -s ${target} /d/${name}'`);
        const pattern = readFileSync(target, 'utf8').trim();
        const runtimes = daemonKind === 'gantryd' ? ['crun', 'runc'] : ['runc'];
        for (const runtime of runtimes) {
          const run = `docker run --rm ${flags} --runtime ${runtime} -v dev-${name}:/dev busybox`;
          const { code, stdout, stderr } = await machine.shell(`${run} sh -c '${look}; echo looked'`);
          if (code === 0) {
            assert.match(stdout, /looked/);
            assert.ok(
              !stdout.split('\n').includes(pattern) && !stdout.includes(target),
              `${runtime}: ${stdout}`,
            );
          } else assert.notEqual(stderr, '');
        }
        // The bait was there, and still leads where it led.
        assert.equal(await machine.must(`${plant(`dev-${name}`)} 'readlink /d/${name}'`), target);
        assert.equal(readFileSync(target, 'utf8').trim(), pattern);
        assert.equal(await machine.must("stat -c '%t:%T %u:%g %a' /dev/null"), '1:3 0:0 666');
      });
    }
  });

  test('CVE-2024-40635: a USER beyond 32 bits, which would wrap around to root', async () => {
    const user = async (spec: string) => {
      writeFileSync(machine.world.path('work', 'Dockerfile'), `FROM busybox\nUSER ${spec}\n`);
      await machine.must('docker build -t wrapped .');
      return machine.shell('docker run --rm wrapped id -u');
    };
    assert.equal((await user('1000')).stdout, '1000\n');
    for (const spec of ['4294967296', '4294967297:1000', '2147483648', '1000:4294967296', '-1']) {
      const { code, stdout, stderr } = await user(spec);
      assert.notEqual(stdout, '0\n', spec);
      assert.equal(code, 125, spec);
      assert.match(stderr, /uids and gids must be in range 0-2147483647/);
    }
    for (const spec of ['4294967296', '-1', '0:4294967296']) {
      const { code, stderr } = await machine.shell(`docker run --rm -u ${spec} busybox id -u`);
      assert.equal(code, 125, spec);
      assert.match(stderr, /uids and gids must be in range 0-2147483647/);
    }
    await machine.must('docker rmi -f wrapped');
  });

  test('CVE-2022-24769: inheritable capabilities, which give files with capabilities more than their process', async () => {
    const inheritable = 'sed -n s/^CapInh:.//p /proc/self/status';
    await machine.must('docker run -d --name inherits --cap-add NET_ADMIN busybox sleep 600');
    for (const command of [
      'docker run --rm busybox',
      'docker run --rm --cap-add NET_ADMIN --cap-add CHOWN busybox',
      'docker run --rm -u 1000 --cap-add NET_RAW busybox',
      'docker exec inherits',
      'docker exec -u 1000 inherits',
      'docker exec --privileged inherits',
    ]) {
      if (daemonKind === 'dockerd' && command.includes('--privileged')) continue;
      assert.equal(await machine.must(`${command} ${inheritable}`), '0000000000000000', command);
    }
    // What is looked at is there to be seen: the effective ones are not empty.
    assert.notEqual(
      await machine.must('docker exec inherits sed -n s/^CapEff:.//p /proc/self/status'),
      '0000000000000000',
    );
    await machine.must('docker rm -f inherits');
  });

  test("CVE-2022-23648: volumes of a hostile image lead to the host's files", async () => {
    const archive = await hostileImage([
      '/control',
      `/../../../../../../../../../..${loot}`,
      `/control/../../../../../../../../../../..${loot}`,
      '/linked',
    ]);
    await machine.must(`docker load -i ${archive}`);
    const { code, stdout, stderr } = await machine.shell(
      "docker run --name hostile hostile sh -c 'grep -r . /control /linked; find / -xdev -name secret; echo looked'",
    );
    if (code === 0) assert.match(stdout, /\/control\/file:copied up\n(.|\n)*looked/);
    else assert.notEqual(stderr, '');
    const volumes = (await machine.must('docker volume ls -q')).split('\n').filter(Boolean);
    const found = await machine.must(
      volumes.map(name => `docker run --rm -v ${name}:/v busybox sh -c 'grep -rs . /v; true'`).join(';') ||
        'true',
    );
    assert.doesNotMatch(stdout + found, /has been read/);
    assert.match(found + stdout, /copied up/, 'nothing was copied at all');
    assert.equal(readFileSync(`${loot}/secret`, 'utf8'), 'the host has been read\n');
    await machine.must('docker rm -fv hostile; docker rmi hostile');
  });

  test("CVE-2021-41091: a user of the host runs an image's setuid programs through the data-root", async () => {
    const nobody = (script: string) =>
      machine.world.run([
        'setpriv',
        '--reuid',
        '65534',
        '--regid',
        '65534',
        '--clear-groups',
        'sh',
        '-c',
        script,
      ]);
    // id(1) says whose rights it has.
    await machine.must('cp /usr/bin/id root-id; chmod 4755 root-id; chmod 711 . ..');
    await machine.must(
      'docker run -d --name setuid -v kept:/kept busybox sleep 600; docker cp root-id setuid:/; docker cp root-id setuid:/kept',
    );
    // Where he may go, such a program makes him root.
    const open = await nobody(`cd / && ${machine.world.path('work', 'root-id')} -u`);
    assert.equal(open.stdout, '0\n', open.stderr);
    const found = await machine.world.run([
      'find',
      machine.world.path('data'),
      '-name',
      'root-id',
      '-perm',
      '-4000',
    ]);
    const paths = found.stdout.trim().split('\n');
    assert.ok(paths.length >= 2, found.stdout);
    for (const path of paths) {
      const { code, stdout, stderr } = await nobody(`cd / && ${path} -u`);
      assert.equal(stdout, '', path);
      assert.equal(code, 126, path);
      assert.match(stderr, /Permission denied/);
    }
    assert.notEqual((await nobody(`ls ${machine.world.path('data')}`)).code, 0);
    await machine.must('docker rm -f setuid; docker volume rm kept');
  });

  /** busybox with volumes at odd places, one of them a link of the image to the loot. */
  async function hostileImage(volumes: string[]): Promise<string> {
    const directory = machine.world.path('work', 'hostile');
    mkdirSync(directory);
    copyFileSync(await busyboxArchive(), `${directory}/busybox.tar`);
    await runOrThrow(['tar', '-xf', `${directory}/busybox.tar`, '-C', directory]);
    const [manifest] = JSON.parse(readFileSync(`${directory}/manifest.json`, 'utf8'));
    mkdirSync(`${directory}/layer/control`, { recursive: true });
    writeFileSync(`${directory}/layer/control/file`, 'copied up\n');
    await runOrThrow(['ln', '-s', loot, `${directory}/layer/linked`]);
    await packReproducibly(`${directory}/layer`, `${directory}/second.tar`);
    const config = JSON.parse(readFileSync(`${directory}/${manifest.Config}`, 'utf8'));
    const sum = (await runOrThrow(['sha256sum', `${directory}/second.tar`])).split(' ')[0];
    config.rootfs.diff_ids.push(`sha256:${sum}`);
    config.config = { ...config.config, Volumes: Object.fromEntries(volumes.map(path => [path, {}])) };
    writeFileSync(`${directory}/hostile.json`, JSON.stringify(config));
    writeFileSync(
      `${directory}/manifest.json`,
      JSON.stringify([
        { Config: 'hostile.json', RepoTags: ['hostile:latest'], Layers: [...manifest.Layers, 'second.tar'] },
      ]),
    );
    const files = ['manifest.json', 'hostile.json', 'second.tar', ...manifest.Layers];
    await runOrThrow(['tar', '-cf', `${directory}/../hostile.tar`, '-C', directory, ...files]);
    return 'hostile.tar';
  }
});
