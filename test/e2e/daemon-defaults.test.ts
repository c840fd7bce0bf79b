import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { daemonKind, Machine } from './machine.ts';

/** What the administrator makes the default for all containers, seen from inside of them. */
const profile = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
};
const prepare = `echo '${JSON.stringify(profile)}' > /run/seccomp.json
printf '#!/bin/sh\\necho "$@" >> /run/other.log\\nexec runc "$@"\\n' > /run/other
chmod +x /run/other`;

describe(`defaults of the daemon, against ${daemonKind}`, { concurrency: false }, () => {
  let machine: Machine;

  before(async () => {
    machine = await Machine.start('defaults', {
      prepare,
      daemonArguments: [
        '--init',
        '--no-new-privileges',
        ...['--default-ipc-mode', 'shareable'],
        ...['--default-cgroupns-mode', 'private'],
        ...['--seccomp-profile', '/run/seccomp.json'],
        ...['--add-runtime', 'other=/run/other'],
        ...['--metrics-addr', '127.0.0.1:9323', '--experimental'],
      ],
    });
  });
  after(() => machine?.stop());

  test('an init is pid 1, unless a container wants none or sees the processes of others', async () => {
    const first = (flags: string) =>
      machine.must(`docker run --rm ${flags} busybox sh -c 'tr "\\\\0" " " < /proc/1/cmdline'`);
    assert.match(await first(''), /init/);
    assert.doesNotMatch(await first('--init=false'), /init/);
    assert.equal(
      await machine.must(
        "docker create --name one busybox; docker inspect --format '{{.HostConfig.Init}}' one | cat",
      ),
      `${await machine.must('docker ps -aq --no-trunc')}\n<nil>`,
    );
    await machine.must('docker rm one');
  });

  test('a runtime can be added, and containers choose it', async () => {
    const said = async () => (await machine.world.run(['cat', '/run/other.log'])).stdout;
    await machine.must('docker run -d --name one --runtime other busybox sleep 600');
    assert.match(await said(), / create /);
    assert.equal(await machine.must("docker inspect --format '{{.HostConfig.Runtime}}' one"), 'other');
    assert.equal(await machine.must('docker exec one echo inside'), 'inside');
    assert.match(await said(), / exec /);
    await machine.must('docker pause one; docker unpause one; docker rm -f one');
    assert.match(await said(), / delete /);
    assert.equal(
      await machine.must('docker info --format \'{{(index .Runtimes "other").Path}}\''),
      '/run/other',
    );
    const { code, stderr } = await machine.shell('docker run --rm --runtime nosuch busybox true');
    assert.deepEqual([code, /nosuch/.test(stderr)], [125, true]);
  });

  test('metrics have the names of dockerd', async () => {
    await machine.must('docker run -d --name one busybox sleep 600; docker create --name two busybox');
    const text = await machine.fetch('http://127.0.0.1:9323/metrics');
    const value = (name: string) =>
      Number(
        text
          .split('\n')
          .find(line => line.startsWith(`${name} `))
          ?.split(' ')[1],
      );
    assert.equal(value('engine_daemon_container_states_containers{state="running"}'), 1);
    assert.equal(value('engine_daemon_container_states_containers{state="stopped"}'), 1);
    assert.ok(value('engine_daemon_engine_cpus_cpus') > 0);
    assert.ok(value('engine_daemon_engine_memory_bytes') > 0);
    assert.ok(value('engine_daemon_events_total') > 1);
    assert.equal(value('engine_daemon_events_subscribers_total'), 0);
    assert.equal(value('engine_daemon_health_checks_total'), 0);
    assert.equal(value('engine_daemon_health_checks_failed_total'), 0);
    assert.match(
      text,
      /^engine_daemon_engine_info\{.*kernel="[^"]+".*os_type="linux".*version="[^"]+"\} 1$/m,
    );
    for (const name of ['process_cpu_seconds_total', 'process_open_fds', 'process_resident_memory_bytes']) {
      assert.ok(value(name) > 0, name);
    }
    await machine.must('docker rm -f one two');
  });

  test('there are no new privileges, unless asked for', async () => {
    const privileges = (flags: string) =>
      machine.must(`docker run --rm ${flags} busybox grep NoNewPrivs /proc/self/status`);
    assert.equal(await privileges(''), 'NoNewPrivs:\t1');
    assert.equal(await privileges('--security-opt no-new-privileges=false'), 'NoNewPrivs:\t0');
    await machine.must('docker run -d --name one busybox sleep 600');
    assert.equal(await machine.must('docker exec one grep NoNewPrivs /proc/self/status'), 'NoNewPrivs:\t1');
    await machine.must('docker rm -f one');
  });

  test('the seccomp profile is the one given, and info names it', async () => {
    const mkdir = (flags: string) => machine.shell(`docker run --rm ${flags} busybox mkdir /x`);
    assert.match((await mkdir('')).stderr, /Operation not permitted/);
    assert.equal((await mkdir('--security-opt seccomp=unconfined')).code, 0);
    assert.match(
      await machine.must("docker info --format '{{json .SecurityOptions}}'"),
      /profile=\/run\/seccomp\.json/,
    );
  });

  test('memory can be shared, and cgroups are not seen', async () => {
    await machine.must(
      'docker run -d --name one busybox sleep 600; docker run --rm --ipc container:one busybox true',
    );
    assert.equal(await machine.must("docker inspect --format '{{.HostConfig.IpcMode}}' one"), 'shareable');
    assert.equal(await machine.must("docker inspect --format '{{.HostConfig.CgroupnsMode}}' one"), 'private');
    await machine.must('docker rm -f one');
  });
});
