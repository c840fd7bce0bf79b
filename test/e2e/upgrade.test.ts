import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { downgrade } from './downgrade.ts';
import { leftovers } from './leftovers.ts';
import { daemonKind, Machine } from './machine.ts';

describe('an upgrade from 0.1.0', {
  concurrency: false,
  skip: daemonKind === 'dockerd' && 'the state database is Gantry’s own',
}, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('upgrade');
  });
  after(() => machine?.stop());

  const must = (line: string) => machine.must(line);

  test('finds containers running, and leaves them so', async () => {
    await must(
      'docker network create app; docker volume create data' +
        "; docker run -d --name web -p 18080:80 -v data:/data -e WORD=old --restart always --health-cmd true --health-interval 1s busybox sh -c 'echo page > /index.html; httpd -f -p 80 -h /'" +
        '; docker run -d --name peer --network app -m 64m busybox sleep 1000' +
        '; docker run -d --name joined --network container:peer busybox sleep 1000' +
        '; docker run -d --name frozen busybox sleep 1000; docker pause frozen' +
        '; docker create --name made -p 18081:80 --tmpfs /x busybox echo said',
    );
    await must("docker run --name ended busybox sh -c 'echo words; exit 3' || [ $? = 3 ]");
    await must("docker run -d --name ends busybox sh -c 'until [ -e /go ]; do sleep 0.1; done; exit 7'");
    await must('docker exec -d ends sh -c "sleep 1; touch /go"');
    const runs = await facts('web peer joined frozen');
    await machine.daemon.kill('SIGTERM');
    const before = schema();
    downgrade(machine.world.path('data/state.db'));
    await untilExitFile();
    await machine.daemon.start();

    assert.deepEqual(schema(), before);
    assert.equal(await facts('web peer joined frozen'), runs);
    assert.equal(
      await must("docker ps -a --format '{{.Names}} {{.State}}'"),
      'ends exited\nended exited\nmade created\nfrozen paused\njoined running\npeer running\nweb running',
    );
    assert.equal(await must('docker wait ended ends; docker logs ended'), '3\n7\nwords');
    assert.equal(await machine.fetch('http://127.0.0.1:18080/index.html'), 'page');
    await must('docker exec web touch /data/x; docker unpause frozen');
    assert.equal(await must('docker exec joined hostname'), await must('docker exec peer hostname'));
  });

  test('and can do everything with them', async () => {
    assert.equal(await must('docker start -a made'), 'said');
    await must('docker restart -t 0 web peer joined; docker update --cpu-shares 100 peer');
    await must('docker commit web copied; docker diff web; docker cp web:/data/x - | tar t');
    await must(
      `curl -sf --unix-socket ${machine.daemon.socket} -H 'Content-Type: application/json' -d '{"Env": ["WORD=new"]}' http://x/gantry/containers/web/edit`,
    );
    assert.equal(await must("docker exec web sh -c 'echo $WORD'"), 'new');
    await must(
      `curl -sf --unix-socket ${machine.daemon.socket} http://x/gantry/containers/web/why; docker stop -t 0 frozen`,
    );
    await machine.noteIds();
    await must('docker rm -fv $(docker ps -aq); docker network rm app; docker volume rm data');
    for (let attempt = 0; ; attempt++) {
      const left = await leftovers(machine);
      if (left.length === 0) break;
      assert.ok(attempt < 100, left.join('\n'));
      await sleep(200);
    }
  });

  /** Names of tables and indexes. */
  function schema(): unknown[] {
    const database = new DatabaseSync(machine.world.path('data/state.db'), { readOnly: true });
    try {
      return database.prepare('select name from sqlite_schema order by name').all();
    } finally {
      database.close();
    }
  }

  /** What changes when a container is started again. */
  function facts(names: string): Promise<string> {
    return must(
      `docker inspect --format '{{.Name}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}' ${names}`,
    );
  }

  /** The container `ends` has ended while no daemon runs. */
  async function untilExitFile(): Promise<void> {
    const { code } = await machine.world.run([
      'timeout',
      '120',
      'sh',
      '-c',
      `until ls ${machine.world.path('exec/exits')} | grep -q .; do sleep 0.1; done`,
    ]);
    assert.equal(code, 0);
  }
});
