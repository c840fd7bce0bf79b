import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, renameSync, watch, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { repository } from '../support/daemon.ts';
import { settled } from '../support/settled.ts';
import { leftovers } from './leftovers.ts';
import { Machine } from './machine.ts';

const value = 'sesame-4f1c9b7e2a';

/** Secrets without a swarm, which dockerd does not have; its client does. */
describe('secrets', { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('secrets', { daemonArguments: ['-D'] });
    await machine.must(`${repository}/gantry setup`, 120_000);
    writeFileSync(machine.world.path('work', 'value'), value);
  });
  after(() => machine?.stop());

  const must = (line: string) => machine.must(line.replaceAll('gantry ', `${repository}/gantry `));
  const refused = async (line: string, message: RegExp) => {
    const outcome = await machine.shell(line.replaceAll('gantry ', `${repository}/gantry `));
    assert.notEqual(outcome.code, 0, line);
    assert.match(outcome.stderr, message, line);
  };
  /** What of secrets the host has mounted: nothing, but while a container is being made. */
  const hostMounts = () =>
    readFileSync(`${machine.world.proc}/1/mountinfo`, 'utf8')
      .split('\n')
      .filter(line => line.includes(`${machine.world.path('exec')}/secrets`));
  const directories = () => readdirSync(machine.world.path('exec', 'secrets'));

  for (const client of ['docker', 'gantry']) {
    test(`create, ls, inspect and rm by ${client}`, async () => {
      const id = await must(`${client} secret create -l a=b db value`);
      assert.match(id, /^[0-9a-z]{25}$/);
      assert.equal(await must(`cat value | ${client} secret create Key -`).then(text => text.length), 25);
      assert.equal(await must(`${client} secret ls -q --filter name=d`), id);
      assert.equal(await must(`${client} secret ls -q --filter label=a=b`), id);
      assert.equal(await must(`${client} secret ls --format '{{.Name}}:{{.Labels}}'`), 'Key:\ndb:a=b');
      assert.equal(
        await must(`${client} secret inspect -f '{{.Spec.Name}} {{.Version.Index}}' ${id.slice(0, 8)}`),
        'db 1',
      );
      assert.match(await must(`${client} secret inspect --pretty db`), /^Labels:\n - a=b$/m);
      await refused(`${client} secret create DB value`, /secret DB already exists/);
      await refused(`${client} secret create ../x value`, /invalid name, only 64 /);
      await refused(`${client} secret create empty /dev/null`, /data is empty/);
      await refused(`head -c 512000 /dev/zero | ${client} secret create big -`, /less than 512000 bytes/);
      await refused(`${client} secret create -d vault db2`, /SecretSpec.Driver is not supported: vault/);
      await refused(
        `${client} secret inspect nosuch`,
        /^Error response from daemon: secret nosuch not found/,
      );
      assert.equal(await must(`${client} secret rm db Key`), 'db\nKey');
      await refused(`${client} secret rm db`, /secret db not found/);
    });
  }

  test('a container reads it where, and as who, it was asked', async () => {
    await must('gantry secret create db value; printf second | gantry secret create key -');
    const list = `sh -c 'cd /run/secrets; stat -c "%n %u:%g %a" * /etc/app/key; cat db; cat /etc/app/key'`;
    const expected = `db 0:0 444\n/etc/app/key 1000:7 400\n${value}second`;
    assert.equal(
      await must(
        `gantry run --rm --secret db --secret source=key,target=/etc/app/key,uid=1000,gid=7,mode=0400 busybox ${list}`,
      ),
      expected,
    );
    const label = `io.gantry.secrets=db;key,target=/etc/app/key,uid=1000,gid=7,mode=0400`;
    assert.equal(await must(`docker run --rm --label '${label}' busybox ${list}`), expected);
    // A user other than root, a root that nobody can write to.
    const app = 'gantry run --rm --read-only -u 1000 --cap-drop ALL --secret db --secret key,mode=0400';
    assert.equal(await must(`${app} busybox cat /run/secrets/db`), value);
    await refused(`${app} busybox cat /run/secrets/key`, /Permission denied/);
    const mounts = await must('gantry run --rm --secret db busybox grep /run/secrets /proc/mounts');
    assert.match(mounts, /^secrets \/run\/secrets\/db tmpfs ro,nosuid,nodev,noexec,/);
    // Not even who may mount can write it: the file system itself is read-only.
    await refused(
      `gantry run --rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined --secret db busybox sh -c 'mount -o remount,rw,bind /run/secrets/db; echo x > /run/secrets/db'`,
      /Read-only file system/,
    );
    await refused('gantry run --rm --secret db busybox nosuchprogram', /executable file not found/);
    assert.deepEqual([hostMounts(), directories()], [[], []]);
  });

  test('what cannot be is refused, in words', async () => {
    const create = (secret: string) => `gantry create --secret '${secret}' busybox`;
    await refused(create('nosuch'), /secret not found: nosuch/);
    await refused(create('db,target=/proc/1/x'), /must not be below \/proc or \/sys/);
    await refused(create('db,target=../../etc/passwd'), /must stay below \/run\/secrets/);
    await refused(create('db,uid=root'), /invalid secret uid "root"/);
    await refused(create('db,mode=04777'), /invalid secret mode 04777/);
    await refused(create('db,type=env'), /invalid field in secret request: type/);
    await refused(`${create('db')} --secret db`.replace(/(.*) busybox (.*)/, '$1 $2 busybox'), /duplicate/);
    await refused(create('db,target=/data').replace('create', 'create -v /data'), /Duplicate mount point/);
    // Docker's client sends what it is told.
    await refused(`docker create --label 'io.gantry.secrets=db,x=1' busybox`, /invalid field in secret/);
  });

  test("an image can neither ask for a secret nor lead one out of the container's root", async () => {
    writeFileSync(
      machine.world.path('work', 'Dockerfile'),
      `FROM busybox
LABEL io.gantry.secrets=db
RUN mkdir -p /run /inside && ln -s ../../../../inside /run/secrets
`,
    );
    await must('docker build -q -t hostile .');
    assert.equal(await must('docker run --rm hostile ls -A /inside'), '');
    assert.equal(await must('gantry run --rm --secret db hostile cat /inside/db'), value);
    assert.equal(existsSync('/inside'), false);
    await must('docker rmi hostile');
  });

  test('the value is nowhere but in the container', async () => {
    await must(
      'gantry run -d --name one --secret db busybox sh -c "wc -c < /run/secrets/db; exec sleep 1000"',
    );
    await must('docker exec one true; docker commit one committed; gantry update -e A=1 --dry-run one');
    for (const state of ['running', 'stopped']) {
      const answers = [
        'docker inspect one; docker secret inspect db; gantry secret ls; docker ps -a --no-trunc; docker logs one',
        'docker diff one; docker export one; docker save committed; docker events --since 1h --until $(date +%s.%N)',
        `curl -sS --unix-socket ${machine.daemon.socket} http://x/secrets`,
        // Files of the daemon, its database and its log among them, and what it has mounted.
        "grep -raD skip -e '' ../data ../exec ../gantryd.log",
      ].join('; ');
      const search = `grep -acF -e ${value} -e ${Buffer.from(value).toString('base64')}`;
      // The search itself finds what is there: names are.
      const { stdout } = await machine.world.run([
        'sh',
        '-c',
        `cd work; export DOCKER_HOST=unix://${machine.daemon.socket} PATH=$PATH:${repository}; { ${answers}; } > ../answers; ${search} ../answers; grep -acF -e /run/secrets/db ../answers`,
      ]);
      const [found, named] = stdout.split('\n').map(Number);
      assert.equal(found, 0, state);
      assert.ok(named! > 3, state);
      if (state === 'running') await must('docker kill one && docker wait one');
    }
    await must('docker rm -f one; docker rmi committed');
  });

  test('it is used while it is in use, and a new one counts at the next start', async () => {
    await must('gantry run -d --name one --stop-signal KILL --secret key busybox sleep 1000');
    await refused('docker secret rm key', /secret 'key' is in use by the following container: one/);
    await must('gantry update -e WORD=new one');
    assert.equal(await must('docker exec one cat /run/secrets/key'), 'second');
    await refused('gantry update -v /run/secrets/key one', /there is a secret at \/run\/secrets\/key/);
    await must('docker stop one; docker secret rm key');
    await refused('docker start one', /secret not found: key/);
    await must('printf third | docker secret create key -; docker start one');
    assert.equal(await must('docker exec one cat /run/secrets/key'), 'third');
    await must('docker rm -f one');
    // With a duration the client would lose the current second.
    const actions = await must(
      "docker events --since 1h --until $(date +%s.%N) --filter type=secret --filter secret=key --format '{{.Action}}' | tail -n 2",
    );
    assert.equal(actions, 'remove\ncreate');
  });

  test('labels are updated by whoever has seen the last version', async () => {
    const update = (version: string, body: string) =>
      must(
        `curl -sS -o /dev/null -w '%{http_code}' --unix-socket ${machine.daemon.socket} -H 'Content-Type: application/json' -d '${body}' 'http://x/secrets/db/update?version=${version}'`,
      );
    assert.equal(await update('1', '{"Name":"db","Labels":{"x":"y"}}'), '200');
    assert.equal(await update('1', '{"Name":"db"}'), '409');
    assert.equal(await update('two', '{"Name":"db"}'), '400');
    assert.equal(await update('2', '{"Name":"other"}'), '400');
    assert.equal(await update('2', `{"Name":"db","Data":"${btoa(value)}"}`), '400');
    assert.equal(
      await must(`docker secret inspect -f '{{.Version.Index}} {{.Spec.Labels}}' db`),
      '2 map[x:y]',
    );
    assert.equal(await must('gantry run --rm --secret db busybox cat /run/secrets/db'), value);
  });

  test('without its key, containers with secrets do not start, and others do', async () => {
    const key = machine.world.path('data', 'secrets.key');
    await must('gantry create --name one --secret db busybox cat /run/secrets/db');
    await must('docker run -d --name other --restart always busybox sleep 1000');
    renameSync(key, `${key}.kept`);
    await machine.daemon.kill();
    await machine.daemon.start();
    assert.equal(await must("docker inspect -f '{{.State.Status}}' other"), 'running');
    await refused('docker start one', /secrets\.key is missing, .*: put it there from a backup/);
    await refused('gantry secret create more value', /secrets\.key is missing/);
    await refused('docker run --rm --label io.gantry.secrets=db busybox true', /secrets\.key is missing/);
    assert.equal(await must('docker secret ls -q | wc -l'), '2');
    renameSync(`${key}.kept`, key);
    assert.equal(await must('docker start -a one'), value);
    await must('docker rm -f one other');
  });

  describe('SIGKILL of the daemon', { concurrency: false }, () => {
    before(async () => {
      await must('docker secret inspect db 2>/dev/null || docker secret create db value');
      await must('gantry run -d --name bystander --secret db busybox sleep 1000');
    });
    after(() => must('docker rm -f bystander'));

    /** All is as it should be, and what was cut off can be done again. */
    async function assertWhole(): Promise<void> {
      await machine.daemon.start();
      assert.deepEqual([hostMounts(), directories()], [[], []]);
      assert.equal(await must('docker exec bystander cat /run/secrets/db'), value);
      await must('docker start one');
      assert.equal(await must('docker exec one cat /run/secrets/db'), value);
      await must('docker rm -f one');
      await settled(async () => assert.deepEqual(await leftovers(machine), []));
    }

    for (const phase of ['begins to write them', 'takes them off the host']) {
      test(`while it ${phase}`, async () => {
        await must('gantry create --name one --secret db busybox sleep 1000');
        const changes = watch(machine.world.path('exec', 'secrets'));
        const changed = new Promise<void>(resolve => {
          let left = phase === 'begins to write them' ? 1 : 2;
          // A directory comes, and goes.
          changes.on('change', kind => {
            if (kind === 'rename' && --left === 0) resolve();
          });
        });
        const cut = machine.shell('docker start one');
        await Promise.race([changed, cut]);
        await machine.daemon.kill();
        changes.close();
        await cut;
        await assertWhole();
      });
    }

    for (const delayMs of [60]) {
      test(`${delayMs} ms into a start`, async () => {
        await must('gantry create --name one --secret db busybox sleep 1000');
        const cut = machine.shell('docker start one');
        await sleep(delayMs);
        await machine.daemon.kill();
        await cut;
        await assertWhole();
      });
    }

    test('while secrets are made: each is there whole or not at all', async () => {
      const making = machine.shell(
        'i=0; while docker secret create -l made= made$i value; do i=$((i+1)); done 2>/dev/null',
      );
      await settled(async () =>
        assert.ok(Number(await must('docker secret ls -q --filter name=made | wc -l')) > 1),
      );
      await machine.daemon.kill();
      const acknowledged = (await making).stdout.trim().split('\n');
      await machine.daemon.start();
      const there = (await must('docker secret ls -q --filter label=made')).split('\n');
      assert.deepEqual(
        acknowledged.filter(id => !there.includes(id)),
        [],
      );
      const last = there.length - 1;
      assert.equal(
        await must(`gantry run --rm --secret made${last},target=x busybox cat /run/secrets/x`),
        value,
      );
      await must(`docker secret rm ${there.join(' ')}`);
    });
  });

  test('when the containers are gone, nothing is left', async () => {
    await must('docker rm -f $(docker ps -aq) 2>/dev/null; docker secret rm db key');
    assert.deepEqual([hostMounts(), directories()], [[], []]);
    await settled(async () => assert.deepEqual(await leftovers(machine), []));
  });
});
