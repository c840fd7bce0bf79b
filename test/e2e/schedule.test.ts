import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { repository } from '../support/daemon.ts';
import { Machine } from './machine.ts';

/** A line of `gantry schedule history --format json`. */
interface Run {
  ID: string;
  Due: string;
  Times: string;
  Trigger: string;
  Started: string;
  Finished: string;
  ExitCode: string;
  Outcome: string;
  Note: string;
}

/** How often the daemon is killed while a schedule is at work; more finds more. */
const rounds = Number(process.env['GANTRY_CRASH_ROUNDS'] ?? 3);

const everySecond = '* * * * * *';
/** Never due while tests run, unless they celebrate New Year's Day. */
const yearly = '0 12 1 1 *';

/** `gantry run --schedule`, and what becomes of it whatever happens to the daemon. */
describe('schedules', { concurrency: false }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.start('schedule');
    await machine.must(`${repository}/gantry setup`, 120_000);
    mkdirSync(machine.world.path('work', 'runs'));
  });
  after(() => machine?.stop());

  const gantry = (line: string) => machine.gantry(line);
  const refused = (line: string, message: RegExp) => machine.refused(line, message);
  /** Newest first. */
  const history = async (name: string): Promise<Run[]> =>
    (await gantry(`schedule history --format json --no-trunc ${name}`))
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Run);
  const ended = (runs: Run[]) => runs.filter(({ Finished }) => Finished !== '');
  /** Runs append a line each to a file that the host sees. */
  const logged = (name: string): number => {
    const path = machine.world.path('work', 'runs', name);
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
  };
  const logging = (name: string) => `-v $PWD/runs:/runs busybox sh -c 'echo run >> /runs/${name}'`;

  /** Asks until the answer is as wanted. */
  async function until<T>(ask: () => Promise<T> | T, wanted: (answer: T) => boolean): Promise<T> {
    const deadline = performance.now() + 120_000;
    for (;;) {
      const answer = await ask();
      if (wanted(answer)) return answer;
      if (performance.now() > deadline) assert.fail(`still ${JSON.stringify(answer)}`);
      await sleep(100);
    }
  }

  /** What the daemon finds at its next start. */
  function changeState<T>(change: (database: DatabaseSync) => T): T {
    const database = new DatabaseSync(machine.world.path('data', 'state.db'));
    try {
      return change(database);
    } finally {
      database.close();
    }
  }

  /** Settles as soon as the line of a run is written that is not started yet. */
  async function untilStarting(): Promise<void> {
    const database = new DatabaseSync(machine.world.path('data', 'state.db'), {
      readOnly: true,
      timeout: 5000,
    });
    const starting = database.prepare("select 1 from schedule_runs where outcome = 'starting'");
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher = watch(machine.world.path('data', 'state.db-wal'), () => {
      if (starting.get() !== undefined) resolve();
    });
    const giveUp = setTimeout(resolve, 60_000);
    try {
      await promise;
    } finally {
      clearTimeout(giveUp);
      watcher.close();
      database.close();
    }
  }

  test('the same container is started again and again, and its runs are told', async () => {
    const id = await gantry(
      `run --schedule '${everySecond}' --name tick ${logging('tick').replace(/'$/, "; exit 3'")}`,
    );
    assert.match(id, /^[0-9a-f]{64}$/);
    const runs = await until(
      () => history('tick'),
      found => ended(found).length >= 3,
    );
    for (const run of ended(runs))
      assert.deepEqual([run.Outcome, run.ExitCode, run.Trigger], ['failed', '3', 'due']);
    assert.ok(logged('tick') >= 3);
    assert.equal(await machine.must("docker inspect -f '{{.Id}}' tick"), id);
    const event = await machine.must(
      `docker events --since 1h --until 0s --filter event=schedule --filter container=tick --format '{{.Action}} {{.Actor.Attributes.exitCode}}' | grep failed | head -1`,
    );
    assert.equal(event, 'schedule: failed 3');
    await gantry('schedule pause tick');
    await refused('schedule pause tick', /the schedule of container tick is paused already/);
    assert.match(
      await gantry("schedule ls --format '{{.Name}} {{.Schedule}} {{.TimeZone}} {{.Next}} {{.Outcome}}'"),
      /^tick \* \* \* \* \* \* \S+ paused \S.*$/m,
    );
    await until(
      () => history('tick'),
      found => !found.some(({ Outcome }) => Outcome === 'running' || Outcome === 'starting'),
    );
    const pausedAt = logged('tick');
    // Others go on meanwhile.
    await gantry(`run --schedule '${everySecond}' --name other ${logging('other')}`);
    await until(
      () => logged('other'),
      count => count >= 3,
    );
    assert.equal(logged('tick'), pausedAt);
    await gantry('schedule run tick');
    await until(
      () => history('tick'),
      ([newest]) => newest?.Trigger === 'manual' && newest.Outcome === 'failed',
    );
    assert.equal(logged('tick'), pausedAt + 1);
    await gantry('schedule resume tick');
    await until(
      () => history('tick'),
      found => ended(found)[0]?.Trigger === 'due',
    );
    assert.match(
      await gantry('schedule history -n 1 tick'),
      /^DUE +TRIGGER +DURATION +OUTCOME +NOTE\n\S+Z +due .*\n?.*$/,
    );
    await machine.must('docker rm -f tick other');
    await refused('schedule history tick', /No such container: tick/);
  });

  test('other clients say it with labels; prune leaves what waits for its next run', async () => {
    await machine.must(
      `docker create --name labelled --label io.gantry.schedule='${everySecond}' ` +
        '--label io.gantry.schedule-time-zone=Europe/Berlin --label io.gantry.schedule-catch-up=true busybox true',
    );
    const { HostConfig } = await machine.docker.inspect<{ HostConfig: { Schedule: object } }>('labelled');
    assert.deepEqual(HostConfig.Schedule, {
      Cron: everySecond,
      TimeZone: 'Europe/Berlin',
      CatchUp: true,
    });
    await until(
      () => history('labelled'),
      runs => runs.some(({ Outcome, ExitCode }) => Outcome === 'success' && ExitCode === '0'),
    );
    await machine.must('docker create --name unlabelled busybox true; docker container prune -f');
    assert.equal(await machine.must("docker ps -a --format '{{.Names}}'"), 'labelled');
    // The label of an image is not the caller's word.
    await machine.must(
      `printf 'FROM busybox\\nLABEL io.gantry.schedule="* * *"\\n' | docker build -q -t self-willed - ; docker run --rm self-willed true`,
    );
    await machine.must('docker rm -f labelled');
  });

  test('a run that goes on is not joined by another', async () => {
    await gantry(`run --schedule '${everySecond}' --name slow --stop-signal KILL busybox sleep 1000`);
    const skipped = await until(
      () => history('slow'),
      runs => runs.some(({ Outcome, Times }) => Outcome === 'skipped' && Number(Times) >= 2),
    );
    const begun = skipped.filter(({ Started }) => Started !== '');
    assert.deepEqual(
      begun.map(({ Outcome }) => Outcome),
      ['running'],
    );
    assert.ok(
      skipped.some(({ Outcome, Note }) => Outcome === 'skipped' && Note === 'the run before goes on'),
    );
    await refused('schedule run slow', /Container slow is already running/);
    await machine.must('docker stop slow');
    await until(
      () => history('slow'),
      runs => runs.some(({ Outcome, Note }) => Outcome === 'interrupted' && Note === 'stopped by hand'),
    );
    await until(
      () => history('slow'),
      runs => runs.some(({ Outcome }) => Outcome === 'running'),
    );
    await machine.must('docker rm -f slow');
  });

  test('a schedule is edited like anything else, and a start that fails is a run that failed', async () => {
    await machine.must('docker create --name edited busybox nosuchprogram');
    await refused('schedule run edited', /container edited has no schedule/);
    await gantry(`update --schedule '${yearly}' --schedule-time-zone Asia/Tokyo edited`);
    assert.equal(
      await gantry("inspect -f '{{.HostConfig.Schedule.Cron}} {{.HostConfig.Schedule.TimeZone}}' edited"),
      `${yearly} Asia/Tokyo`,
    );
    assert.match(
      await gantry(`update --dry-run --schedule @daily edited`),
      /schedule +~ 0 12 1 1 \* Asia\/Tokyo -> @daily/,
    );
    await refused('schedule run edited', /nosuchprogram/);
    const [failed] = await history('edited');
    assert.deepEqual([failed?.Outcome, failed?.ExitCode, failed?.Started], ['failed', '127', '']);
    assert.match(failed?.Note ?? '', /nosuchprogram/);
    await refused('update --restart always edited', /cannot have the restart policy always/);
    await gantry("update --schedule '' -e A=1 edited");
    assert.equal(await gantry('schedule ls -q'), '');
    await gantry('update --restart always edited');
    await refused(`update --schedule '${yearly}' edited`, /cannot have the restart policy always/);
    await machine.must('docker rm -f edited');
  });

  test('what cannot be is refused with the reason', async () => {
    const cases: [flags: string, message: RegExp][] = [
      ["--schedule '* * *'", /invalid schedule "\* \* \*": want five fields/],
      ["--schedule '0 0 31 2 *'", /schedule "0 0 31 2 \*" never comes due/],
      ['--schedule @daily --schedule-time-zone Mars/Base', /unknown time zone "Mars\/Base"/],
      ['--schedule-catch-up', /--schedule-catch-up needs --schedule/],
      ['--schedule @daily --rm', /cannot specify both --schedule and --rm: the next run needs the container/],
      ['--schedule @daily --restart always', /cannot specify both --schedule and --restart/],
      ['--schedule @daily -a stdout', /cannot specify both --schedule and --attach/],
    ];
    for (const [flags, message] of cases) await refused(`run ${flags} busybox true`, message);
    const labelled = await machine.shell('docker run --rm --label io.gantry.schedule=@daily busybox true');
    assert.match(labelled.stderr, /a container with a schedule cannot be removed when it ends/);
    assert.equal(await machine.must('docker ps -aq'), '');
  });

  test('a run that ends while no daemon is there has its end in the history', async () => {
    await gantry(
      `run --schedule '${yearly}' --name gated -v $PWD/runs:/runs busybox sh -c 'until test -e /runs/gate; do sleep 0.1; done; exit 7'`,
    );
    await gantry('schedule run gated');
    const pid = Number(await machine.must("docker inspect -f '{{.State.Pid}}' gated"));
    await machine.daemon.kill();
    writeFileSync(machine.world.path('work', 'runs', 'gate'), '');
    await until(
      () => existsSync(`${machine.world.proc}/${pid}`),
      there => !there,
    );
    await machine.daemon.start();
    const [run] = await history('gated');
    assert.deepEqual([run?.Outcome, run?.ExitCode, run?.Note], ['failed', '7', '']);
    assert.notEqual(run?.Finished, '');

    // One that goes on is still the schedule's when the daemon is back.
    rmSync(machine.world.path('work', 'runs', 'gate'));
    await gantry('schedule run gated');
    await machine.daemon.kill();
    await machine.daemon.start();
    assert.equal((await history('gated'))[0]?.Outcome, 'running');
    writeFileSync(machine.world.path('work', 'runs', 'gate'), '');
    await until(
      () => history('gated'),
      ([newest]) => newest?.Outcome === 'failed' && newest.ExitCode === '7',
    );
    await machine.must('docker rm -f gated');
  });

  test('what was due while no daemon was there was missed, or is caught up with once', async () => {
    await gantry(`run --schedule '${yearly}' --name late ${logging('late')}`);
    await gantry(`run --schedule '${yearly}' --schedule-catch-up --name caught ${logging('caught')}`);
    await machine.daemon.kill();
    const twoYearsMs = 2 * 365.25 * 86_400_000;
    changeState(database => {
      database.prepare('update schedules set through_ms = through_ms - ?').run(twoYearsMs);
      // As if it had been killed right before a start.
      database.exec(
        `insert into schedule_runs (container_id, trigger, due_ms, times, last_due_ms, outcome, error)
         select id, 'due', 1000, 1, 1000, 'starting', '' from containers where name = 'late'`,
      );
    });
    await machine.daemon.start();
    const caught = await until(
      () => history('caught'),
      ([newest]) => newest?.Outcome === 'success',
    );
    assert.deepEqual(
      caught.map(({ Outcome, Trigger, Times }) => [Outcome, Trigger, Times]),
      [
        ['success', 'catch-up', '1'],
        ['missed', 'due', '1'],
      ],
    );
    assert.deepEqual(
      (await history('late')).map(({ Outcome, Times, Note }) => [Outcome, Times, Note]),
      [
        ['missed', '2', ''],
        ['interrupted', '1', 'the daemon ended while it was being started'],
      ],
    );
    await machine.daemon.kill();
    await machine.daemon.start();
    assert.equal((await history('caught')).length, 2, 'what is settled is settled');
    assert.deepEqual([logged('late'), logged('caught')], [0, 1]);
    await machine.must('docker rm -f late caught');
  });

  test('no due time starts twice, whenever the daemon is killed', async () => {
    await gantry(`run --schedule '${everySecond}' --schedule-catch-up --name cut ${logging('cut')}`);
    // On a slow machine more lines come than are kept.
    const seen = new Map<string, Run>();
    const look = async (): Promise<Run[]> => {
      const runs = await history('cut');
      for (const run of runs) seen.set(run.ID, run);
      return runs;
    };
    for (let round = 1; round <= rounds; round++) {
      const [newest] = await look();
      if (round % 2 === 0) await sleep(Math.random() * 1200);
      else await untilStarting();
      await machine.daemon.kill();
      const cut = changeState(database =>
        database.prepare("select id from schedule_runs where outcome = 'starting'").get(),
      );
      await machine.daemon.start();
      const settled = (await look()).find(({ ID }) => ID === String(cut?.['id']));
      if (cut !== undefined) assert.equal(settled?.Outcome, 'interrupted');
      await until(look, runs => ended(runs).some(({ ID }) => Number(ID) > Number(newest?.ID ?? 0)));
    }
    await gantry('schedule pause cut');
    await until(look, found => !found.some(({ Outcome }) => Outcome === 'running' || Outcome === 'starting'));
    const runs = [...seen.values()];
    const begun = runs.filter(({ Outcome }) => Outcome !== 'missed' && Outcome !== 'skipped');
    assert.equal(new Set(begun.map(({ Due }) => Due)).size, begun.length, JSON.stringify(begun));
    const whole = runs.filter(({ Outcome }) => Outcome === 'success').length;
    assert.ok(logged('cut') >= whole, `${logged('cut')} lines of ${whole} runs`);
    assert.ok(logged('cut') <= begun.length, `${logged('cut')} lines of ${begun.length} runs`);
    await machine.must('docker rm -f cut');
  });
});
