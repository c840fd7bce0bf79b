import assert from 'node:assert/strict';
import { closeSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { busyboxArchive } from '../support/base-images.ts';
import { findCgroups, processesIn, removeCgroups } from '../support/cgroups.ts';
import { settled } from '../support/settled.ts';
import { leftovers } from './leftovers.ts';
import { daemonKind, Machine } from './machine.ts';

describe('what outlives the daemon and the machine', {
  concurrency: false,
  skip: daemonKind === 'dockerd' && 'of this much is Gantry’s own',
}, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('survive');
  });
  after(() => machine?.stop());

  const must = (line: string) => machine.must(line);
  const field = (name: string, template: string) => must(`docker inspect --format '${template}' ${name}`);
  const settledAt = (name: string, template: string, wanted: RegExp) =>
    settled(async () => assert.match(await field(name, template), wanted));

  test('the status and the results of health checks', async () => {
    await must(
      "docker run -d --name checked --health-cmd 'echo fine' --health-interval 300ms busybox sleep 1000",
    );
    await settledAt('checked', '{{.State.Health.Status}} {{len .State.Health.Log}}', /^healthy 5$/);
    // No further check comes in between.
    await must('docker pause checked; docker unpause checked');
    await machine.daemon.kill();
    await machine.daemon.start();
    assert.equal(await field('checked', '{{len .State.Health.Log}}'), '5');
    await settledAt('checked', '{{.State.Health.Status}}', /^healthy$/);
    await must('docker rm -f checked');
  });

  test('a health check that hangs is killed with what it has started', async () => {
    await must(
      "docker run -d --name hangs --health-cmd 'sleep 1001 & sleep 1002' --health-interval 300ms --health-timeout 300ms --health-retries 1 busybox sleep 1000",
    );
    await settledAt('hangs', '{{.State.Health.Status}} {{len .State.Health.Log}}', /^unhealthy 5$/);
    await must('docker pause hangs; docker unpause hangs');
    const id = await field('hangs', '{{.Id}}');
    await settled(async () => assert.ok(new Set(findCgroups(id).flatMap(processesIn)).size <= 4));
    await must('docker rm -f hangs');
  });

  test('restart of what is unhealthy, by the flag and by the label, also by the next daemon', async () => {
    const check =
      "--health-cmd 'test -e /well' --health-interval 300ms --health-retries 2 --stop-signal KILL";
    await must(
      `docker run -d --name sick ${check} --label io.gantry.health-on-failure=restart busybox sleep 1000`,
    );
    await settledAt('sick', '{{.RestartCount}}', /^[1-9]/);
    await machine.daemon.kill();
    await machine.daemon.start();
    const before = Number(await field('sick', '{{.RestartCount}}'));
    await settled(async () => assert.ok(Number(await field('sick', '{{.RestartCount}}')) > before));
    const events = await must(
      "docker events --since 1 --until $(($(date +%s)+1)) --filter container=sick --filter event=health_failure --format '{{.Action}}'",
    );
    assert.match(events, /^health_failure: restart/);
    await settled(async () => void (await must('docker exec sick touch /well')));
    await settledAt('sick', '{{.State.Health.Status}}', /^healthy$/);
    await must('docker rm -f sick');
    const refused = await machine.shell('docker create --label io.gantry.health-on-failure=restart busybox');
    assert.match(refused.stderr, /cannot restart an unhealthy container that has no health check/);
    const unknown = await machine.shell(
      `docker create ${check} --label io.gantry.health-on-failure=pray busybox`,
    );
    assert.match(unknown.stderr, /invalid action on failing health "pray"/);
  });

  test('stop and kill of what is unhealthy: a policy speaks only after a kill', async () => {
    const check =
      '--health-cmd false --health-interval 300ms --health-retries 1 --stop-signal KILL --restart always';
    await must(
      `docker run -d --name stops ${check} --label io.gantry.health-on-failure=stop busybox sleep 1000`,
    );
    await must(
      `docker run -d --name killed ${check} --label io.gantry.health-on-failure=kill busybox sleep 1000`,
    );
    await settledAt('stops', '{{.State.Status}} {{.RestartCount}}', /^exited 0$/);
    await settledAt('killed', '{{.RestartCount}}', /^[1-9]/);
    await must('docker rm -f stops killed');
  });

  test('what outlived the signal that was to end it is restarted by its policy, by the next daemon', async () => {
    await must(
      `docker run -d --name stubborn --restart always busybox sh -c 'trap "" TERM; until [ -e /end ]; do sleep 0.1; done'`,
    );
    await must('docker kill -s TERM stubborn');
    await machine.daemon.kill();
    await machine.daemon.start();
    await must('docker exec stubborn touch /end');
    await settledAt('stubborn', '{{.RestartCount}}', /^[1-9]/);
    await must('docker rm -f stubborn');
  });

  test('a command of exec, whose exit code is known afterwards', async () => {
    await must('docker run -d --name inside busybox sleep 1000');
    const api = (method: string, path: string, body: string) =>
      must(
        `curl -sf -X ${method} -H 'Content-Type: application/json' -d '${body}' --unix-socket ${machine.daemon.socket} http://x${path}`,
      );
    const command = '{"Cmd":["sh","-c","until [ -e /go ]; do sleep 0.1; done; exit 9"]}';
    const { Id } = JSON.parse(await api('POST', '/containers/inside/exec', command)) as { Id: string };
    await api('POST', `/exec/${Id}/start`, '{"Detach":true}');
    await machine.daemon.kill();
    await machine.daemon.start();
    const state = () => must(`curl -sf --unix-socket ${machine.daemon.socket} http://x/exec/${Id}/json`);
    assert.match(await state(), /"Running":true/);
    await must('docker exec inside touch /go');
    await settled(async () => assert.match(await state(), /"ExitCode":9/));
    await must('docker rm -f inside');
  });

  test('a reboot: policies start what they shall, in an order that works', async () => {
    await must('docker create --name never --restart always busybox sleep 1000');
    await must('docker run -d --name always --restart always busybox sleep 1000');
    await must('docker run -d --name joins --restart always --network container:always busybox sleep 1000');
    await must('docker run -d --name unless --restart unless-stopped busybox sleep 1000');
    await must(
      'docker run -d --name stopped-always --restart always busybox sleep 1000; docker kill stopped-always',
    );
    await must(
      'docker run -d --name stopped-unless --restart unless-stopped busybox sleep 1000; docker kill stopped-unless',
    );
    await must('docker run -d --name failing --restart on-failure busybox sleep 1000');
    await must('docker run -d --name none busybox sleep 1000');
    await must('docker run -d --rm --name vanishes busybox sleep 1000');
    await reboot();
    const all = await must(
      "docker ps -aq | xargs docker inspect --format '{{.Name}} {{.State.Status}} {{.State.ExitCode}}' | sort",
    );
    assert.deepEqual(all.split('\n'), [
      '/always running 0',
      '/failing running 0',
      '/joins running 0',
      '/never created 0',
      '/none exited 255',
      '/stopped-always running 0',
      '/stopped-unless exited 137',
      '/unless running 0',
    ]);
    await must('docker rm -f $(docker ps -aq)');
  });

  test('a row that cannot be read costs that container only, and its data stay', async () => {
    await must('docker run -d --name fine busybox sleep 1000; docker network create broken');
    const id = await must('docker create --name broken busybox sleep 1000');
    const pid = await field('fine', '{{.State.Pid}}');
    await machine.daemon.kill();
    const database = new DatabaseSync(machine.world.path('data/state.db'));
    database.prepare("update containers set record = '{' where id = ?").run(id);
    database.prepare("update network_networks set spec = '{' where name = 'broken'").run();
    database.prepare("insert into network_ports values ('nobody', '{')").run();
    database.prepare("insert into container_edits values ('nobody', '{')").run();
    database
      .prepare(
        `insert into images (id, config, size_bytes, created_ms, last_tagged_ms) values ('sha256:00', x'7b', 1, 1, 1)`,
      )
      .run();
    database.prepare("update events set event = '{'").run();
    database.close();
    await machine.daemon.start();
    assert.equal(await field('fine', '{{.State.Pid}}'), pid);
    assert.equal(await must("docker images --format '{{.Repository}}'"), 'busybox');
    assert.equal(await must("docker network ls --format '{{.Name}}' | sort | xargs"), 'bridge host none');
    assert.equal(machine.daemon.logTail().match(/moved to the table quarantined_rows/g)?.length, 3);
    assert.equal(await must("docker ps -a --format '{{.Names}} {{.State}}'"), 'fine running');
    assert.match(machine.daemon.logTail(), /the row of a container is corrupt/);
    assert.equal(await must(`ls ${machine.world.path('data/containers')} | grep -c ${id}`), '1');
    await must('docker rm -f fine');
  });

  test('damage to the state database costs what was in the damaged part', async () => {
    const id = await must('docker run -d --name fine -v data:/data busybox sleep 1000');
    const pid = await field('fine', '{{.State.Pid}}');
    await machine.daemon.kill('SIGTERM');
    damagePageOf('events');
    await machine.daemon.start();
    assert.match(machine.daemon.logTail(), /the state database is corrupt; .* rows of it are kept/);
    assert.equal(await field('fine', '{{.State.Pid}} {{.State.Status}}'), `${pid} running`);
    await must('docker exec fine touch /data/precious /mine');
    await machine.daemon.kill();
    for (const suffix of ['', '-wal']) truncateSync(machine.world.path(`data/state.db${suffix}`));
    await machine.daemon.start();
    assert.match(machine.daemon.logTail(), /what is there of it is kept/);
    assert.equal(await must('docker ps -aq; docker volume ls -q'), 'data');
    assert.equal(await must(`find ${machine.world.path('data/quarantine')} -name mine | wc -l`), '1');
    assert.equal(await must(`ls ${machine.world.path('data/containers')} | grep -c ${id}`), '1');
    machine.seenIds.add(id);
    await settled(async () => assert.deepEqual(await leftovers(machine), []));
    await must(`docker load -i ${await busyboxArchive()}`);
    assert.equal(await must('docker run --rm -v data:/data busybox ls /data'), 'precious');
  });

  test('a newer state database is refused, and nothing is changed', async () => {
    await machine.daemon.kill('SIGTERM');
    const path = machine.world.path('data/state.db');
    const setVersion = (change: string) => {
      const database = new DatabaseSync(path);
      database.exec(`update migrations set version = version ${change} where room = 'containers'`);
      database.close();
    };
    setVersion('+ 1');
    await assert.rejects(machine.daemon.start(), /the state database was written by a newer version/);
    setVersion('- 1');
    await machine.daemon.start();
  });

  test('a container whose directory or state file is damaged does not keep the daemon from starting', async () => {
    const id = await must('docker run -d --name damaged busybox sleep 1000');
    await machine.daemon.kill();
    rmSync(machine.world.path('data/containers', id), { recursive: true });
    writeFileSync(machine.world.path('exec/c', id, 'state.json'), '{"cgroupsPath"');
    await machine.daemon.start();
    assert.equal(await field('damaged', '{{.State.Running}}'), 'true');
    await must('docker rm -f damaged');
    assert.equal(await must('docker ps -aq'), '');
  });

  /** Writes over the first page of a table. */
  function damagePageOf(table: string): void {
    const path = machine.world.path('data/state.db');
    const database = new DatabaseSync(path);
    const sql = 'select pageno from dbstat where name = ? order by pageno limit 1';
    const { pageno } = database.prepare(sql).get(table) as { pageno: number };
    database.close();
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(4096, 0x55), 0, 4096, (pageno - 1) * 4096);
    closeSync(file);
  }

  /** The machine as it is after its power came back: no process, no cgroup, no mount, no link, an empty exec-root. */
  async function reboot(): Promise<void> {
    await machine.daemon.kill();
    for (const id of await containerIds()) {
      for (const path of findCgroups(id)) killAll(processesIn(path));
      await removeCgroups(`gantry/${id}`);
    }
    const exec = machine.world.path('exec');
    await settled(async () => {
      const script = `for p in $(pgrep -x conmon); do kill -9 $p; done; awk '$2 ~ "/merged$" { print $2 }' /proc/mounts | xargs -r umount; ip -o link | grep -o 'veth[^@:]*' | sort -u | xargs -rn 1 ip link del; ip link del docker0 2>/dev/null; find ${exec} -mindepth 1 -delete; ! grep -q merged /proc/mounts`;
      const { code, stderr } = await machine.world.run(['sh', '-c', script]);
      assert.equal(code, 0, stderr);
    });
    await machine.daemon.start();
  }

  async function containerIds(): Promise<string[]> {
    const database = new DatabaseSync(machine.world.path('data/state.db'), { readOnly: true });
    const ids = database
      .prepare('select id from containers')
      .all()
      .map(row => String(row['id']));
    database.close();
    return ids;
  }
});

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }
}
