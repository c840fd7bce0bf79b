import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerStats } from '../../src/api/containers.ts';
import { Machine } from '../e2e/machine.ts';
import { findCgroups } from '../support/cgroups.ts';

/** Run by `../support/guest.ts` where cgroup v2 is all there is. Everything takes ten times as long as elsewhere. */
const patientMs = 600_000;
const root = '/sys/fs/cgroup';

for (const runtime of ['crun', 'runc']) {
  describe(`with ${runtime}`, () => {
    let machine: Machine;
    const docker = (line: string) => machine.must(`docker ${line}`, patientMs);
    /** Files of the container's own cgroup, as it sees them itself. */
    const inside = (name: string, files: string) =>
      docker(`exec ${name} sh -c 'cd ${root}; for f in ${files}; do echo "$f $(cat $f)"; done'`);
    const cgroupOf = async (name: string, parent = 'gantry') =>
      join(root, parent, await docker(`inspect -f '{{.Id}}' ${name}`));

    before(async () => {
      machine = await Machine.start(`cgroup2-${runtime}`, {
        daemonArguments: ['--default-runtime', runtime],
      });
    });
    after(() => machine.stop());

    test(`${runtime}: the daemon knows where it is`, async () => {
      assert.equal(
        await docker("info -f '{{.CgroupVersion}} {{.CgroupDriver}} {{.DefaultRuntime}}'"),
        `2 cgroupfs ${runtime}`,
      );
    });

    test(`${runtime}: limits are what the kernel holds, after an update and a restart too`, async () => {
      const limits =
        '-m 50m --memory-swap 80m --memory-reservation 20m --cpus 0.5 --cpu-shares 512 --pids-limit 50 ' +
        '--cpuset-cpus 1 --blkio-weight 300 --device-read-bps /dev/vda:1mb --device-write-iops /dev/vda:100';
      await docker(`run -d --name limited --network none ${limits} busybox sleep 1000`);
      const fixed = 'cpuset.cpus 1\nio.max 254:0 rbps=1048576 wbps=max riops=max wiops=100';
      const files = 'memory.max memory.swap.max memory.low cpu.max cpu.weight pids.max cpuset.cpus io.max';
      assert.equal(
        await inside('limited', files),
        `memory.max 52428800\nmemory.swap.max 31457280\nmemory.low 20971520\ncpu.max 50000 100000\ncpu.weight 20\npids.max 50\n${fixed}`,
      );
      assert.match(await inside('limited', 'io.weight'), /^io\.weight default 29\d\d$/);
      await docker(
        'update -m 30m --memory-swap 40m --cpus 0.2 --cpu-shares 1024 --pids-limit 20 --memory-reservation 10m limited',
      );
      const updated = `memory.max 31457280\nmemory.swap.max 10485760\nmemory.low 10485760\ncpu.max 20000 100000\ncpu.weight 39\npids.max 20\n${fixed}`;
      assert.equal(await inside('limited', files), updated);
      await docker('restart -t 0 limited');
      assert.equal(await inside('limited', files), updated);
      await docker('update --pids-limit -1 limited');
      assert.equal(await inside('limited', 'pids.max'), 'pids.max max');
      await docker('rm -f limited');
    });

    test(`${runtime}: what cgroup v2 lacks is discarded with a warning, or refused`, async () => {
      const answer = await machine.shell(
        'docker create --oom-kill-disable --memory-swappiness 5 --blkio-weight-device /dev/vda:300 busybox',
        patientMs,
      );
      assert.deepEqual(answer.stderr.trim().split('\n'), [
        'WARNING: Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
        'WARNING: Your kernel does not support OomKillDisable. OomKillDisable discarded.',
        'WARNING: Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.',
      ]);
      const kept = await docker(
        `inspect -f '{{.HostConfig.OomKillDisable}} {{.HostConfig.MemorySwappiness}}' ${answer.stdout}`,
      );
      assert.equal(kept, '<nil> <nil>');
      const refused = await machine.shell('docker create --cpu-rt-runtime 1000 busybox', patientMs);
      assert.match(refused.stderr, /Your kernel does not support CPU real-time scheduler/);
    });

    test(`${runtime}: a cgroup namespace of its own unless it is the host's, writable only with --privileged`, async () => {
      const run = (flags: string, line: string) => docker(`run --rm --network none ${flags} busybox ${line}`);
      assert.equal(await run('', 'cat /proc/self/cgroup'), '0::/');
      assert.match(await run('--cgroupns host', 'cat /proc/self/cgroup'), /^0::\/gantry\/[0-9a-f]{64}$/);
      assert.match(
        await run('--cgroup-parent /outer/inner --cgroupns host', 'cat /proc/self/cgroup'),
        /^0::\/outer\/inner\/[0-9a-f]{64}$/,
      );
      const tries = "sh -c 'mkdir /sys/fs/cgroup/x 2>/dev/null && echo made || echo refused'";
      assert.equal(await run('', tries), 'refused');
      assert.equal(await run('--privileged', tries), 'made');
    });

    test(`${runtime}: devices are opened by the rules alone`, async () => {
      const run = (flags: string, line: string) =>
        docker(`run --rm --network none ${flags} busybox sh -c '${line}'`);
      const open =
        'mknod /b b 254 0; (head -c 1 /b | wc -c) 2>/dev/null; (: > /b) 2>/dev/null && echo written || echo refused';
      assert.equal(await run('', open), '0\nrefused');
      assert.equal(await run("--device-cgroup-rule 'b 254:0 rm'", open), '1\nrefused');
      assert.equal(await run('--device /dev/vda:/dev/disk:r', 'head -c 16 /dev/disk | wc -c'), '16');
    });

    test(`${runtime}: the limit of processes bites`, async () => {
      const line = "sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait'";
      const { stderr } = await machine.shell(
        `docker run --rm --network none --pids-limit 4 busybox ${line}`,
        patientMs,
      );
      assert.match(stderr, /can't fork/);
    });

    test(`${runtime}: a paused container stands still in the freezer`, async () => {
      await docker('run -d --name paused --network none busybox sleep 1000');
      const cgroup = await cgroupOf('paused');
      const frozen = () => /^frozen (\d)$/m.exec(readFileSync(join(cgroup, 'cgroup.events'), 'utf8'))?.[1];
      await docker('pause paused');
      assert.equal(frozen(), '1');
      assert.equal(await docker("inspect -f '{{.State.Status}}' paused"), 'paused');
      await docker('unpause paused');
      assert.equal(frozen(), '0');
      await docker('pause paused');
      await docker('rm -f paused');
      assert.ok(!existsSync(cgroup));
    });

    test(`${runtime}: statistics by Docker's formulas for cgroup v2`, async () => {
      const work =
        'dd if=/dev/zero of=/file bs=1M count=16 conv=fsync 2>/dev/null; echo done; exec sleep 1000';
      await docker(`run -d --name counted -m 100m busybox sh -c '${work}'`);
      await until(async () => (await docker('logs counted')) === 'done');
      const url = 'http://docker/containers/counted/stats?stream=0';
      const stats = JSON.parse(
        await machine.must(`curl -sS --unix-socket ${machine.daemon.socket} '${url}'`, patientMs),
      ) as ContainerStats;
      const cgroup = await cgroupOf('counted');
      const read = (file: string, key: string) =>
        Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(readFileSync(join(cgroup, file), 'utf8'))?.[1]);
      const { memory_stats: memory, cpu_stats: cpu, blkio_stats: io } = stats;
      assert.equal(memory.limit, 100 * 1024 * 1024);
      assert.equal(memory.stats!['file'], read('memory.stat', 'file'));
      assert.ok(memory.stats!['inactive_file']! > 8 * 1024 * 1024, 'what it wrote is in the cache');
      // The process sleeps: its time stands still.
      assert.equal(cpu.cpu_usage.total_usage, read('cpu.stat', 'usage_usec') * 1000);
      assert.equal(cpu.cpu_usage.usage_in_usermode, read('cpu.stat', 'user_usec') * 1000);
      assert.equal(cpu.online_cpus, 2);
      const written = io
        .io_service_bytes_recursive!.filter(({ op }) => op === 'write')
        .reduce((sum, { value }) => sum + value, 0);
      assert.ok(written >= 16 * 1024 * 1024, `${written} bytes written`);
      assert.equal(stats.pids_stats!.current, 1);
      const [used, limit, processes] = (
        await docker("stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' counted")
      ).split(/ \/ | /);
      assert.deepEqual([limit, processes], ['100MiB', '1']);
      assert.match(
        used!,
        /^([0-7](\.\d+)?MiB|\d+(\.\d+)?KiB)$/,
        'pages of files that can be given back do not count',
      );
      await docker('rm -f counted');
    });

    test(`${runtime}: out of memory is seen, also in a child and while the daemon is away`, async () => {
      const grow = 'x=a; while :; do x=$x$x; done';
      const limits = '--network none -m 12m --memory-swap 12m';
      const state = (name: string) =>
        docker(`inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' ${name}`);
      const own = await machine.shell(`docker run --name own ${limits} busybox sh -c '${grow}'`, patientMs);
      assert.equal(own.code, 137);
      assert.equal(await state('own'), 'exited 137 true');
      const child = await machine.shell(
        `docker run --name child ${limits} busybox sh -c "sh -c '${grow}'; echo after"`.replaceAll(
          '$',
          '\\$',
        ),
        patientMs,
      );
      assert.equal(child.stdout.trim(), 'after');
      assert.equal(await state('child'), 'exited 0 true');
      // What happened in the second that is not over yet is not in it.
      const told = () =>
        docker("events --since 1h --until 0s --filter event=oom --format '{{.Actor.Attributes.name}}'");
      await until(async () => (await told()) === 'own\nchild');

      const go = machine.world.path('work', 'go');
      await docker(
        `run -d --name away ${limits} -v ${machine.world.path('work')}:/work busybox sh -c 'while [ ! -e /work/go ]; do sleep 1; done; ${grow}'`,
      );
      const cgroup = await cgroupOf('away');
      await machine.daemon.kill();
      await machine.world.run(['touch', go]);
      await until(() => Promise.resolve(readFileSync(join(cgroup, 'cgroup.procs'), 'utf8') === ''));
      await machine.daemon.start();
      assert.equal(await state('away'), 'exited 137 true');
    });

    test(`${runtime}: nothing is left`, async () => {
      await machine.noteIds();
      await docker('rm -f $(docker ps -aq)');
      for (const id of machine.seenIds) assert.deepEqual(findCgroups(id), []);
      const left = readdirSync(join(root, 'gantry'), { withFileTypes: true }).filter(entry =>
        entry.isDirectory(),
      );
      assert.deepEqual(left, []);
    });
  });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + patientMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it never came');
    await sleep(200);
  }
}
