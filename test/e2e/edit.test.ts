import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { repository } from '../support/daemon.ts';
import { leftovers } from './leftovers.ts';
import { Machine } from './machine.ts';

interface Inspected {
  Id: string;
  Name: string;
  State: { Status: string; Pid: number; Health?: { Status: string } };
  Config: { Env: string[]; Labels: Record<string, string>; Hostname: string; Cmd: string[] };
  HostConfig: { Memory: number; RestartPolicy: { Name: string }; Binds: string[] | null };
  NetworkSettings: {
    Ports: Record<string, { HostPort: string }[] | null>;
    Networks: Record<string, { IPAddress: string; Aliases: string[] | null }>;
  };
  Mounts: { Destination: string; Name?: string }[];
}

/** How often the daemon is killed in an edit; more finds more. */
const rounds = Number(process.env['GANTRY_CRASH_ROUNDS'] ?? 6);

/** `gantry update` of what Docker cannot update. */
describe('editing a container', { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('edit');
    await machine.must(`${repository}/gantry setup`, 120_000);
    await machine.must('docker network create app; docker network create --subnet 10.77.0.0/24 fixed');
  });
  after(() => machine?.stop());

  const gantry = (line: string) => machine.gantry(line);
  const refused = (line: string, message: RegExp) => machine.refused(line, message);
  const inspect = (name: string) => machine.docker.inspect<Inspected>(name);

  /** A page that says what its environment says; its process ends at once when it is told to. */
  async function runPage(name: string, options = ''): Promise<Inspected> {
    await machine.must(
      `docker rm -f ${name} 2>/dev/null; docker run -d --name ${name} --stop-signal KILL -e WORD=old ${options} busybox ` +
        `sh -c 'mkdir -p /www; echo $WORD > /www/index.html; exec httpd -f -p 80 -h /www'`,
    );
    return inspect(name);
  }

  test('ports, networks, limits and labels change while it runs', async () => {
    const old = await runPage('live', '-p 18081:80');
    await gantry('update -p 18082:80 -l tier=web --network name=app,alias=www -m 64m --restart always live');
    const now = await inspect('live');
    assert.equal(now.State.Pid, old.State.Pid);
    assert.equal(now.Config.Labels['tier'], 'web');
    assert.equal(now.HostConfig.RestartPolicy.Name, 'always');
    assert.deepEqual(now.NetworkSettings.Networks['app']?.Aliases, ['www']);
    assert.equal(await machine.fetch('http://127.0.0.1:18081/'), 'old');
    assert.equal(await machine.fetch('http://127.0.0.1:18082/'), 'old');
    assert.equal(await machine.must('docker run --rm --network app busybox wget -qO- http://www/'), 'old');
    assert.equal(
      await machine.must(
        "docker exec live sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true'",
      ),
      String(64 * 1024 * 1024),
    );
    await gantry('update --unpublish 80 -p 18083:80 --no-network app --remove-label tier live');
    const last = await inspect('live');
    assert.equal(last.State.Pid, old.State.Pid);
    assert.deepEqual(Object.keys(last.NetworkSettings.Networks), ['bridge']);
    assert.equal(
      last.NetworkSettings.Networks['bridge']!.IPAddress,
      old.NetworkSettings.Networks['bridge']!.IPAddress,
    );
    assert.equal(await machine.fetch('http://127.0.0.1:18083/'), 'old');
    assert.equal((await machine.world.run(['curl', '-sS', 'http://127.0.0.1:18081/'])).code, 7);
  });

  test('a bandwidth given as a label changes while it runs, and stays when daemon and container start anew', async () => {
    const label = 'io.gantry.network-bandwidth=up=10mbit,down=50mbit';
    await machine.must(`docker run -d --name slow --label ${label} busybox sleep 1000`);
    const rates = async () => {
      const { stdout } = await machine.world.run(['tc', 'qdisc', 'show']);
      return [...stdout.matchAll(/ dev (veth|ifb)\w+ .* rate (\w+)/g)]
        .map(([, kind, rate]) => `${kind} ${rate}`)
        .sort();
    };
    assert.deepEqual(await rates(), ['ifb 10Mbit', 'veth 50Mbit']);
    await machine.daemon.kill();
    await machine.daemon.start();
    await gantry('update --network-bandwidth up=1mbit slow');
    assert.deepEqual(await rates(), ['ifb 1Mbit', 'veth 50Mbit']);
    await machine.must('docker restart -t 0 slow');
    assert.deepEqual(await rates(), ['ifb 1Mbit', 'veth 50Mbit']);
    const { HostConfig } = await machine.docker.inspect<{ HostConfig: { GantryNetworkBandwidth: object } }>(
      'slow',
    );
    assert.deepEqual(HostConfig.GantryNetworkBandwidth, { Up: 1_000_000, Down: 50_000_000 });
    await gantry('update --network-bandwidth up=0,down=0 slow');
    assert.deepEqual(await rates(), []);
    await machine.must('docker rm -f slow');
  });

  test('a live change that fails leaves everything as it was', async () => {
    const old = await inspect('live');
    await machine.must('docker run -d --name taker -p 18084:80 busybox sleep 1000');
    await refused('update --unpublish 80 -p 18084:80 --network app -m 32m live', /port is already allocated/);
    await refused('update --network name=fixed,ip=10.78.0.1 live', /does not belong to any of this network/);
    await refused(
      'update --network host live',
      /cannot be disconnected from host network or connected to host/,
    );
    await refused('update --network nosuch live', /network nosuch not found/);
    assert.deepEqual(await inspect('live'), old);
    assert.equal(await machine.fetch('http://127.0.0.1:18083/'), 'old');
    await machine.must('docker rm -f taker live');
  });

  test('environment, mounts, host name and command take a new process; all else stays', async () => {
    const old = await runPage('web', '-p 18081:80 -v data:/data');
    await machine.must("docker exec web sh -c 'echo kept > /written; echo kept > /data/file'");
    const dry = await gantry('update --dry-run -e WORD=new -v more:/more web');
    assert.match(dry, /^web: would be changed and restarted\n {2}env +~ WORD=old -> new +needs a restart\n/);
    assert.deepEqual(await inspect('web'), old);
    const since = String(Math.floor(Date.now() / 1000) - 1);
    await gantry('update -e WORD=new -v more:/more --unmount /data --hostname renamed web');
    const now = await inspect('web');
    assert.deepEqual([now.Id, now.Name, now.State.Status], [old.Id, old.Name, 'running']);
    assert.notEqual(now.State.Pid, old.State.Pid);
    assert.equal(
      now.NetworkSettings.Networks['bridge']!.IPAddress,
      old.NetworkSettings.Networks['bridge']!.IPAddress,
    );
    assert.deepEqual(
      now.Mounts.map(({ Destination }) => Destination),
      ['/more'],
    );
    assert.equal(await machine.fetch('http://127.0.0.1:18081/'), 'new');
    assert.equal(await machine.must("docker exec web sh -c 'cat /written; hostname'"), 'kept\nrenamed');
    const events = await machine.must(
      `docker events --since ${since} --until ${Math.floor(Date.now() / 1000) + 1} --filter container=web --filter event=update --format '{{.Action}}'`,
    );
    assert.equal(events, 'update');
    await gantry('update -v data:/data web');
    assert.equal(await machine.must('docker exec web cat /data/file'), 'kept');
    await gantry("update web -- sh -c 'exec sleep 1000'");
    assert.deepEqual((await inspect('web')).Config.Cmd, ['sh', '-c', 'exec sleep 1000']);
    await machine.must('docker rm -f web');
  });

  test('the old one comes back when the new one does not start', async () => {
    const old = await runPage('web', '-p 18081:80 --rm');
    await refused(
      'update -e WORD=new -v /anonymous web -- nosuchprogram',
      /runs as it did before: .*nosuchprogram/s,
    );
    const now = await inspect('web');
    assert.deepEqual([now.Id, now.Config, now.Mounts], [old.Id, old.Config, old.Mounts]);
    assert.equal(
      now.NetworkSettings.Networks['bridge']!.IPAddress,
      old.NetworkSettings.Networks['bridge']!.IPAddress,
    );
    assert.equal(await machine.fetch('http://127.0.0.1:18081/'), 'old');
    assert.equal(await machine.must("docker volume ls -q | grep -cv -e '^data$' -e '^more$' || true"), '0');
    await machine.must('docker rm -f web');
  });

  test('with --wait-healthy the old one comes back when the new one is not healthy', async () => {
    await runPage(
      'web',
      `-p 18081:80 --health-cmd 'test $WORD != bad' --health-interval 100ms --health-retries 1`,
    );
    await gantry('update --wait-healthy -e WORD=good web');
    assert.equal((await inspect('web')).State.Health?.Status, 'healthy');
    await refused('update --wait-healthy -e WORD=bad web', /runs as it did before: the new one is unhealthy/);
    assert.equal(await machine.fetch('http://127.0.0.1:18081/'), 'good');
    await refused(
      "update --wait-healthy web -- sh -c 'exit 3'",
      /ended with exit code 3 before it was healthy/,
    );
    assert.equal(await machine.fetch('http://127.0.0.1:18081/'), 'good');
    await machine.must('docker rm -f web');
  });

  test('a container that does not run is changed for its next start', async () => {
    await machine.must('docker create --name still -e A=1 busybox sh -c "echo $A; cat /data/file"');
    await gantry("update -e A=2 -v data:/data still -- sh -c 'echo $A; cat /data/file'");
    assert.equal(await machine.must('docker start -a still'), '2\nkept');
    await refused('update --unset-env NOSUCH still', /environment variable NOSUCH is not set/);
    await refused(
      'update --mount type=bind,source=/nosuch,target=/x still',
      /bind source path does not exist/,
    );
    await refused('update -e A=3 --wait-healthy still', /has no health check to wait for/);
    await machine.must('docker rm still');
  });

  for (let round = 1; round <= rounds; round++) {
    test(`SIGKILL of the daemon in an edit leaves the old or the new, round ${round}`, async () => {
      const old = await runPage('web', '-p 18085:80 -v data:/data');
      const ways = [
        'update -e WORD=new -p 18086:80 -m 64m -v /anonymous web',
        'update -l word=new -p 18086:80 -m 64m --network app web',
      ];
      const line = ways[round % ways.length]!;
      const cut = machine.shell(`${repository}/gantry ${line}`);
      await sleep(Math.random() * 250);
      await machine.daemon.kill();
      await cut;
      await machine.daemon.start();
      const now = await inspect('web');
      const isNew = now.HostConfig.Memory !== 0;
      assert.deepEqual([now.Id, now.State.Status], [old.Id, 'running']);
      assert.equal(
        now.NetworkSettings.Networks['bridge']!.IPAddress,
        old.NetworkSettings.Networks['bridge']!.IPAddress,
      );
      assert.equal(
        now.NetworkSettings.Ports['80/tcp']!.some(({ HostPort }) => HostPort === '18086'),
        isNew,
      );
      const limit = await machine.must(
        "docker exec web sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true'",
      );
      assert.equal(limit === String(64 * 1024 * 1024), isNew);
      if (round % 2 === 1) {
        assert.equal(now.Config.Labels['word'] === 'new', isNew);
        assert.equal('app' in now.NetworkSettings.Networks, isNew);
      } else {
        assert.equal(now.Config.Env.includes('WORD=new'), isNew);
        assert.equal(now.Mounts.length, isNew ? 2 : 1);
      }
      const word = !isNew || round % 2 === 1 ? 'old' : 'new';
      assert.equal(await machine.fetch('http://127.0.0.1:18085/'), word);
      if (isNew) assert.equal(await machine.fetch('http://127.0.0.1:18086/'), word);
      // Nothing is in the way of editing it once more.
      await gantry('update -l again=yes web');
      await machine.must('docker network disconnect app web 2>/dev/null; true');
      for (let attempt = 0; (await leftovers(machine)).length > 0 && attempt < 300; attempt++)
        await sleep(200);
      assert.deepEqual(await leftovers(machine), []);
      await machine.must('docker rm -fv web');
    });
  }
});
