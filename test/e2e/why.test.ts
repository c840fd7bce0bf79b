import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon, repository } from '../support/daemon.ts';
import { DockerClient } from '../support/docker-client.ts';
import { World } from '../support/world.ts';
import { Machine } from './machine.ts';

/** Each failure is a real one: made, explained, and where a command mends it, mended by that command. */
describe('gantry why', { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('why');
    await machine.must(`${repository}/gantry setup`, 120_000);
    await machine.must('docker network create app; docker network create back');
    await machine.must('docker network create -o com.docker.network.bridge.enable_icc=false closed');
  });
  after(() => machine?.stop());

  const gantry = (line: string) => machine.shell(`${repository}/gantry ${line}`);

  /** Asks until the answer is there: what a container does takes its time. */
  async function why(line: string, wanted: RegExp, status = 1): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      const { code, stdout, stderr } = await gantry(`why ${line}`);
      if (code === status && wanted.test(stdout)) return stdout;
      if (attempt === 150) assert.fail(`${line}: exit code ${code}\n${stdout}${stderr}`);
      await sleep(200);
    }
  }

  /** Does what the answer says, with words of it replaced, as a reader would. */
  async function mend(answer: string, words: Record<string, string> = {}): Promise<void> {
    const [, command = ''] = /^ {2}> (.*?)(?: {4}#.*)?$/m.exec(answer) ?? [];
    const line = Object.entries(words).reduce((text, [from, to]) => text.replace(from, to), command);
    const { code, stderr } = await machine.shell(line.replace(/^gantry/, `${repository}/gantry`));
    assert.equal(code, 0, `${line}\n${stderr}`);
  }

  const run = (options: string) => machine.must(`docker run -d --stop-signal KILL ${options}`);

  test('a healthy container: nothing is wrong, and what was looked at', async () => {
    await run('--name ok -p 18080:80 --network app busybox httpd -f -p 80');
    const answer = await why('ok', /nothing is wrong/, 0);
    assert.match(answer, /looked at: memory .* published ports and who listens\n$/);
    const json = JSON.parse((await gantry('why --format json ok')).stdout) as {
      Findings: unknown[];
      Name: string;
    };
    assert.deepEqual([json.Name, json.Findings], ['ok', []]);
    assert.match((await gantry('why nosuch')).stderr, /No such container: nosuch/);
    assert.match((await gantry('why --port x ok')).stderr, /invalid argument "x" for "--port" flag/);
  });

  test('it exits at once', async () => {
    await machine.shell('docker run -d --name typo busybox httpdd');
    const typo = await why('typo', /The program httpdd is not in the image/);
    await mend(typo, { 'COMMAND [ARG...]': 'sleep 1000' });
    await machine.must('docker start typo');
    await run(`--name shell busybox sh -c 'nosuchprogram'`);
    await why(
      'shell',
      /The program nosuchprogram is not in the image[\s\S]*exit code 127[\s\S]*\| sh: nosuchprogram: not found/,
    );
    await run(`--name variable busybox sh -c 'echo \${TOKEN:?}; exec sleep 1000'`);
    await mend(await why('variable', /It wants the environment variable TOKEN/));
    await machine.must('docker start variable');
    await why('variable', /nothing is wrong/, 0);
    await run('--name background busybox httpd -p 80');
    await why('background', /Its first process ended, and with it everything/);
    await run('--name idle busybox sh');
    await why('idle', /Its command is a shell that nobody talks to/);
    await machine.must('docker rm -f typo shell variable background idle');
  });

  test('the way to another container is walked to where it breaks', async () => {
    /** Asks until the answer is there: a server takes its time to listen. */
    const trace = async (line: string, status: number, wanted: RegExp): Promise<string> => {
      for (let attempt = 0; ; attempt++) {
        const { code, stdout, stderr } = await gantry(`network trace ${line}`);
        if (code === status && wanted.test(stdout + stderr)) return stdout;
        if (attempt === 150) assert.fail(`${line}: exit code ${code}\n${stdout}${stderr}`);
        await sleep(200);
      }
    };
    await run('--name way --network app busybox sleep 1000');
    await run('--name near --network app -p 18090:80 busybox httpd -f -p 80');
    await run('--name far --network back busybox httpd -f -p 80');
    await run('--name beside --network container:way busybox sleep 1000');
    const whole = await trace('way near:80', 0, /ok {6}connection {2}A connection is accepted/);
    assert.deepEqual(
      [...whole.matchAll(/^ok +(\w+)/gm)].map(match => match[1]),
      ['name', 'address', 'route', 'bridge', 'firewall', 'listener', 'connection'],
    );
    // The host's address on a bridge that nothing is plugged into.
    await machine.must('docker network create --subnet 10.219.7.0/24 empty');
    await trace('way 10.219.7.1:18090', 0, /10\.219\.7\.1 is the host.*Port 18090 leads to port 80 of near/s);
    await trace('beside near:80', 0, /127\.0\.0\.11 says so/);
    await trace('way near:81', 1, /BREAKS {2}listener {4}Nobody in near listens on port 81\/tcp/);
    await trace('--udp way near:80', 1, /BREAKS {2}listener .*80\/udp/);
    await trace('way far', 1, /BREAKS {2}name .*another network[^>]*> gantry network connect back way/);
    const address = (
      await machine.must(`docker inspect -f '{{.NetworkSettings.Networks.back.IPAddress}}' far`)
    ).trim();
    await trace(`way ${address}:80`, 1, /BREAKS {2}firewall .*different networks/);
    await machine.must('docker network connect back way');
    await trace(`way ${address}:80`, 0, /connection {2}A connection is accepted/);
    await trace('way nosuch', 1, /BREAKS {2}name .*Nobody knows the name nosuch/);
    await trace('way a:b', 1, /invalid destination: a:b/);
    await machine.must('docker rm -f beside way near far; docker network rm empty');
    await trace('ok ok:80', 0, /is the container itself/);
  });

  test('what containers may reach outside is listed, and what was refused is shown', async () => {
    const must = (line: string) => machine.must(`${repository}/gantry ${line}`);
    await must('network create --egress listed.example,198.51.100.0/24 limited');
    await run('--name held --network limited busybox sleep 1000');
    const asked = await machine.shell('docker exec held nslookup other.example 127.0.0.11');
    assert.match(asked.stdout + asked.stderr, /REFUSED/);
    assert.match(
      await must('network egress limited'),
      /^allowed: listed\.example, 198\.51\.100\.0\/24\n[\s\S]*\nheld +other\.example +\d+ /,
    );
    const broken = await gantry('network trace held other.example');
    assert.match(
      broken.stdout,
      /BREAKS {2}name [\s\S]*> gantry network egress --allow other\.example limited/,
    );
    const changed = 'network egress --allow other.example --remove listed.example --format json limited';
    const { Limited, Allowed } = JSON.parse(await must(changed)) as { Limited: boolean; Allowed: string[] };
    assert.deepEqual([Limited, Allowed], [true, ['other.example', '198.51.100.0/24']]);
    assert.match(await must('network egress --unlimited limited'), /^allowed: everything/);
    assert.match(
      (await gantry('network egress --allow a.example bridge')).stderr,
      /it is a predefined network/,
    );
    await machine.must('docker rm -f held');
  });

  test('packets of a container are captured', async () => {
    await run('--name seen --network app busybox sleep 1000');
    const file = machine.world.path('seen.pcap');
    const capturing = machine.must(
      `${repository}/gantry network capture -o ${file} -i lo --host 127.0.0.11 -c 2 seen`,
    );
    // The head of the file says that it has begun.
    await machine.must(
      `until [ -s ${file} ]; do sleep 0.1; done; docker exec seen nslookup app 127.0.0.11; true`,
    );
    await capturing;
    const captured = readFileSync(file);
    assert.equal(captured.readUInt32LE(0), 0xa1b23c4d);
    assert.ok(captured.includes('\u0003app\u0000'), 'the question');
    const bridge = machine.world.path('bridge.pcap');
    const network = machine.must(`${repository}/gantry network capture -o ${bridge} --port 80 -c 5 app`);
    await machine.must(
      `until [ -s ${bridge} ]; do sleep 0.1; done; docker exec seen wget -qO- http://ok/index.html; true`,
    );
    await network;
    assert.ok(readFileSync(bridge).includes('GET /index.html'), 'from one container to another');
    assert.match((await gantry('network capture -o x nosuch')).stderr, /network nosuch not found/);
    assert.match((await gantry('network capture -o x host')).stderr, /has no bridge to listen on/);
    assert.match((await gantry('network capture -o x -i eth9 seen')).stderr, /there is no interface eth9/);
    await machine.must('docker rm -f seen');
  });

  test('it is killed for want of memory', async () => {
    await run('--name hungry -m 16m --memory-swap 16m busybox tail /dev/zero');
    // For a moment it is killed but not yet known to have ended.
    const answer = await why(
      'hungry',
      /It ran out of the memory it is allowed\.\n.*OOM killer ended it: exit code 137\n {4}its limit is 16 MiB\n {4}the most it used was 16 MiB/,
    );
    await mend(answer);
    const limit = await machine.must("docker inspect --format '{{.HostConfig.Memory}}' hungry");
    assert.equal(limit, String(32 * 2 ** 20));
    await machine.must('docker rm -f hungry');
  });

  test('nobody can connect to it', async () => {
    await run('--name local -p 18081:80 busybox httpd -f -p 127.0.0.1:80');
    await why(
      'local',
      /listens on port 80 on 127\.0\.0\.1 only[\s\S]*connection from the host to \S+:80 is refused/,
    );
    await run('--name wrong -p 18082:80 busybox httpd -f -p 3000 -h /etc');
    await mend(await why('wrong', /Port 80 is published, but it listens on port 3000/));
    await machine.fetch('http://127.0.0.1:18082/hostname');
    await why('wrong', /nothing is wrong/, 0);
    await run('--name silent -p 18083:80 busybox sleep 1000');
    await why('silent', /Nothing in it listens on port 80\/tcp/);
    await run('--name private busybox httpd -f -p 80 -h /etc');
    await why('private', /nothing is wrong\n\nnote: It listens on port 80, which is not published/, 0);
    await mend(await why('--port 18084 private', /Port 18084 is not published/));
    await machine.fetch('http://127.0.0.1:18084/hostname');
    await machine.must('docker rm -f local wrong silent private');
  });

  test('it does not become healthy', async () => {
    const health = '--health-interval 100ms --health-retries 2';
    await run(`--name sick ${health} --health-cmd 'echo no page; false' busybox sleep 1000`);
    await why('sick', /Its health check fails[\s\S]*it is unhealthy[\s\S]*\| no page/);
    await run(
      `--name slow ${health} --health-start-period 1h --health-start-interval 100ms --health-cmd false busybox sleep 1000`,
    );
    await why('slow', /It is slow to become healthy[\s\S]*a start period of About an hour/);
    await run(`--name late ${health} --health-timeout 100ms --health-cmd 'sleep 60' busybox sleep 1000`);
    await why('late', /Its health check takes longer than the 0\.1 s it has/);
    await run(`--name missing ${health} --health-cmd 'curl localhost' busybox sleep 1000`);
    await why('missing', /Its health check cannot be run[\s\S]*curl: not found/);
    await machine.must('docker rm -f sick slow late missing');
  });

  test('no space is left', async () => {
    await machine.must('docker volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=1m small');
    const fill = (path: string) => `sh -c 'dd if=/dev/zero of=${path}/x bs=1M count=4; exec sleep 1000'`;
    await run(`--name full -v small:/data busybox ${fill('/data')}`);
    await why(
      'full',
      /The disk of volume small has no space left[\s\S]*0 B of 1 MiB free[\s\S]*\| dd: .*No space left on device/,
    );
    await run(`--name scratch --tmpfs /scratch:size=1m busybox ${fill('/scratch')}`);
    await why('scratch', /\/scratch has no space left/);
    await run(
      `--name inodes --tmpfs /many:nr_inodes=5 busybox sh -c 'cd /many; touch 1 2 3 4 5 6; exec sleep 1000'`,
    );
    await why('inodes', /\/many has no inodes left/);
    await machine.must('docker rm -f full scratch inodes; docker volume rm small');
  });

  test('names lead nowhere', async () => {
    await run('--name db --network back busybox httpd -f -p 5432 -h /etc');
    const ask = `sh -c 'while ! wget -qO- http://db:5432/hostname; do sleep 1; done; exec sleep 1000'`;
    await run(`--name client --network app busybox ${ask}`);
    const answer = await why('client', /The container db is on another network/);
    assert.match(
      answer,
      /its log complains of the name db: .*\n {4}it asks 127\.0\.0\.11, where names of containers are known/,
    );
    await mend(answer);
    await why('client', /nothing is wrong/, 0);
    await run('--name plain busybox sleep 1000');
    await why(
      '--resolve db plain',
      /The container db is on another network[\s\S]*names of containers are not known there/,
    );
    await machine.must('docker rm -f client plain');
  });

  test('permission denied on a volume', async () => {
    const write = `sh -c 'echo hello > /data/x; exec sleep 1000'`;
    await run(`--name other -u 1000:1000 -v data:/data busybox ${write}`);
    const answer = await why('other', /Its user may not write to \/data/);
    assert.match(
      answer,
      /it runs as 1000:1000\n {4}volume data belongs to 0:0, mode 0755\n {4}\| .*Permission denied/,
    );
    await mend(answer);
    await machine.must('docker restart other');
    await why('other', /nothing is wrong/, 0);
    await run(`--name fixed -v data:/data:ro busybox ${write}`);
    await mend(await why('fixed', /\/data is mounted read-only, and it wants to write there/));
    await why('fixed', /nothing is wrong/, 0);
    await machine.must('docker rm -f other fixed');
  });

  test('it cannot reach another container', async () => {
    await run('--name web --network app busybox sleep 1000');
    await mend(
      await why(
        '--reach db:5432 web',
        /The two are on no common network\.\n {4}web is on: app\n {4}db is on: back/,
      ),
    );
    await why('--reach db:5432 web', /nothing is wrong/, 0);
    await machine.must('docker exec web wget -qO- http://db:5432/hostname');
    await why('--reach db:80 web', /db does not listen on port 80/);
    await run('--name shy --network app busybox httpd -f -p 127.0.0.1:80');
    await why('--reach shy:80 web', /shy listens on 127\.0\.0\.1 only/);
    await run('--name one --network closed busybox sleep 1000');
    await run('--name two --network closed busybox httpd -f -p 80');
    await why('--reach two one', /Containers on network closed may not talk to each other/);
    await machine.must('docker stop shy');
    await why('--reach shy web', /shy does not run/);
    assert.match((await gantry('why --reach nosuch web')).stderr, /No such container: nosuch/);
  });

  test('a dockerd does not know, and the client says so', async () => {
    const world = await World.start('why-dockerd');
    try {
      const docker = new DockerClient(await Daemon.start(world, 'dockerd'));
      const asked = await docker.shell(`${repository}/gantry why web`);
      assert.deepEqual(
        [asked.code, asked.stderr],
        [1, 'saying why needs gantryd: this daemon does not know how\n'],
      );
      const edited = await docker.shell(`${repository}/gantry update -e A=1 web`);
      assert.deepEqual(
        [edited.code, edited.stderr],
        [1, 'editing a container needs gantryd: this daemon does not know how\n'],
      );
      for (const flag of ['--secret db', '--network-bandwidth up=1mbit', '--health-on-failure kill']) {
        const created = await docker.shell(`${repository}/gantry create ${flag} busybox`);
        assert.equal(created.code, 1);
        assert.match(created.stderr, / needs gantryd: this daemon does not know how$/m);
      }
    } finally {
      await world.stop();
    }
  });
});
