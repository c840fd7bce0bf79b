import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { StreamReceiver, UnixDatagramReceiver } from '../support/log-receivers.ts';
import { Machine } from './machine.ts';

const range = (to: number) => Array.from({ length: to }, (_, index) => index);

/** Every `line N`, in the order of appearance. */
function numbersIn(text: string): number[] {
  return [...text.matchAll(/line (\d+)\b/g)].map(([, number]) => Number(number));
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('what was waited for did not come');
    await sleep(50);
  }
}

describe('log drivers of the daemon', { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('logs', {
      prepare: 'mkdir -p /run/systemd/journal && ln -s "$PWD/journal.sock" /run/systemd/journal/socket',
    });
  });
  after(() => machine?.stop());

  test('a daemon that is killed in the middle loses no line, and json-file has each once', async () => {
    const receiver = new StreamReceiver({ path: machine.world.path('syslog.sock') });
    await receiver.start();
    const script =
      'i=0; while [ $i -lt 6000 ]; do echo line $i; i=$((i+1)); done; while [ ! -e /go ]; do sleep 0.1; done';
    await machine.must(
      `docker run -d --name to-syslog --log-driver syslog --log-opt syslog-address=unix://${machine.world.path('syslog.sock')} busybox sh -c '${script}'`,
    );
    await machine.must(`docker run -d --name to-file --log-driver json-file busybox sh -c '${script}'`);
    await receiver.until(() => receiver.received.length > 0);
    await machine.daemon.kill();
    await machine.daemon.start();
    await receiver.untilText('line 3000\n');
    await machine.daemon.kill();
    await machine.daemon.start();
    await receiver.untilText('line 5999\n');
    const numbers = numbersIn(receiver.text);
    assert.deepEqual([...new Set(numbers)], range(6000));
    // Its end is seen by a daemon that did not start it.
    await machine.must('docker exec to-file touch /go; docker wait to-file');
    const file = await machine.must("cat $(docker inspect -f '{{.LogPath}}' to-file)");
    assert.deepEqual(numbersIn(file), range(6000));
    assert.deepEqual(numbersIn(await machine.must('docker logs to-file')), range(6000));
    await machine.must('docker rm -f to-syslog to-file');
    await receiver.stop();
  });

  test('the output of a container that is removed at its end is delivered before', async () => {
    const receiver = new StreamReceiver({ path: machine.world.path('late.sock') });
    await receiver.start();
    await machine.must(
      `docker run --rm --log-driver fluentd --log-opt fluentd-address=unix://${machine.world.path('late.sock')} busybox echo last words`,
    );
    await receiver.untilText('last words');
    await receiver.stop();
  });

  test('the journal gets fields, also those too large for a datagram', async () => {
    const journal = new UnixDatagramReceiver(machine.world.path('journal.sock'));
    journal.start();
    await machine.must(
      "docker run --rm --name journalled -e COLOUR=red --log-driver journald --log-opt env=COLOUR --log-opt tag='{{.Name}}' busybox sh -c 'echo said; echo wrong >&2'",
    );
    await journal.until(() => journal.received.length === 2);
    const said = journal.received.find(message => message.includes('MESSAGE=said\n'))!.toString();
    for (const field of [
      'PRIORITY=6',
      'CONTAINER_NAME=journalled',
      'COLOUR=red',
      'SYSLOG_IDENTIFIER=journalled',
    ]) {
      assert.ok(said.includes(`\n${field}\n`), `${field} in ${said}`);
    }
    assert.ok(journal.text.includes('MESSAGE=wrong\nPRIORITY=3\n'));
    await machine.must(
      'big=$(head -c 120000 /dev/zero | tr "\\000" x); docker run --rm -e ONE=$big -e TWO=$big --log-driver journald --log-opt env=ONE,TWO busybox echo large',
    );
    await journal.until(() => journal.received.length === 3);
    assert.equal(journal.memories, 1);
    assert.ok(journal.received[2]!.includes('MESSAGE=large\n'));
    journal.stop();
  });

  test('logs are whole while they are rotated, for who follows and for who comes later', async () => {
    const part = (from: number) => `seq ${from} ${from + 4999} | sed "s/^/line /"`;
    const script = `${part(0)}; while [ ! -e /go ]; do sleep 0.1; done; ${part(5000)}`;
    const id = await machine.must(
      `docker run -d --name rotated --log-driver local --log-opt max-size=50k --log-opt max-file=100 busybox sh -c '${script}'`,
    );
    const followed = machine.must('docker logs -f rotated');
    const files = () => readdirSync(machine.world.path('data', 'containers', id));
    await until(() => files().some(name => name.startsWith('log.000001')));
    await machine.must('docker exec rotated touch /go');
    assert.deepEqual(numbersIn(await followed), range(10_000));
    assert.deepEqual(numbersIn(await machine.must('docker logs rotated')), range(10_000));
    const tail = await machine.must('docker logs --tail 4500 rotated');
    assert.deepEqual(numbersIn(tail), range(10_000).slice(-4500));
    await machine.must('docker rm -f rotated');
  });
});
