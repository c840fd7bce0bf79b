import type { SQLOutputValue } from 'node:sqlite';
import type { Database } from '../../storage/database.ts';
import type { ScheduleConfig } from '../containers/config.ts';
import type { ContainerRecord } from '../containers/container.ts';
import type { DuePlan } from './plan.ts';
import { outcomeOf, type RunEnd, type RunOutcome, type RunTrigger, type ScheduledRun } from './run.ts';

const schema = [
  `create table schedules (
     container_id text primary key references containers (id) on delete cascade,
     times text not null,
     paused integer not null,
     through_ms integer not null
   ) strict;
   create table schedule_runs (
     id integer primary key,
     container_id text not null references containers (id) on delete cascade,
     trigger text not null,
     due_ms integer not null,
     times integer not null,
     last_due_ms integer not null,
     started_ms integer,
     finished_ms integer,
     exit_code integer,
     outcome text not null,
     error text not null
   ) strict;
   create index schedule_runs_of_container on schedule_runs (container_id, id);`,
];

/** Lines of history that are kept for each container. */
const keptRuns = 100;

/** What is known of a container's schedule beside what its record says. */
export interface ScheduleState {
  /** The schedule it belongs to, as text: another one begins anew. */
  readonly times: string;
  readonly paused: boolean;
  /** Due times up to here are settled. */
  readonly throughMs: number;
}

/**
 * How far each schedule has come, and the history of its runs. Rows go with their container's. The line of a run is
 * written, and its due time settled, in one transaction before the start: no due time starts twice, whenever the
 * daemon is killed.
 */
export class ScheduleStore {
  readonly #database: Database;
  readonly #states = new Map<string, ScheduleState>();
  /** Runs that are starting or running, by container. */
  readonly #open = new Map<string, number>();

  /** After the containers' table, which this one's point at. */
  constructor(database: Database) {
    this.#database = database;
    database.migrate('schedules', schema);
    for (const row of database.prepare('select * from schedules').all()) {
      this.#states.set(String(row['container_id']), {
        times: String(row['times']),
        paused: row['paused'] === 1,
        throughMs: Number(row['through_ms']),
      });
    }
    for (const run of this.unsettled()) this.#open.set(run.containerId, run.id);
  }

  state(containerId: string): ScheduleState | undefined {
    return this.#states.get(containerId);
  }

  /** Makes the state follow the record's schedule: a new or changed one begins now, one taken away is forgotten. */
  follow({ id, hostConfig: { schedule } }: ContainerRecord): void {
    const known = this.#states.get(id);
    if (schedule === undefined) {
      if (known === undefined) return;
      this.#database.prepare('delete from schedules where container_id = ?').run(id);
      this.#states.delete(id);
      return;
    }
    const times = timesOf(schedule);
    if (known?.times === times) return;
    this.#save(id, { times, paused: known?.paused ?? false, throughMs: Date.now() });
  }

  /** The container is gone, and its rows with it. */
  forget(containerId: string): void {
    this.#states.delete(containerId);
    this.#open.delete(containerId);
  }

  pause(containerId: string): void {
    this.#save(containerId, { ...this.#states.get(containerId)!, paused: true });
  }

  /** What came due while it was paused never comes. */
  resume(containerId: string): void {
    const known = this.#states.get(containerId)!;
    const throughMs = Math.max(known.throughMs, Date.now());
    this.#save(containerId, { ...known, paused: false, throughMs });
  }

  hasOpenRun(containerId: string): boolean {
    return this.#open.has(containerId);
  }

  /**
   * Settles what a plan says, in one transaction.
   * @param busy why nothing can be started now; undefined: the run's line is written, and the caller starts it
   */
  settle(containerId: string, plan: DuePlan, busy: string | undefined): ScheduledRun[] {
    const state = { ...this.#states.get(containerId)!, throughMs: plan.throughMs };
    const lines = this.#database.transaction(() => {
      this.#write(containerId, state);
      const { missed, run } = plan;
      return [
        ...(missed === undefined ? [] : [this.#pass(containerId, missedLine(missed))]),
        ...(run === undefined ? [] : [this.#settleRun(containerId, run, busy)]),
      ];
    });
    // What could not be written has not happened: it is due the next time we look.
    this.#states.set(containerId, state);
    const begun = lines.find(({ outcome }) => outcome === 'starting');
    if (begun !== undefined) this.#open.set(containerId, begun.id);
    return lines;
  }

  #settleRun(
    containerId: string,
    { dueMs, trigger }: NonNullable<DuePlan['run']>,
    busy: string | undefined,
  ): ScheduledRun {
    const line = { trigger, dueMs, lastDueMs: dueMs, times: 1 };
    return busy === undefined
      ? this.#insert(containerId, { ...line, outcome: 'starting', error: '' })
      : this.#pass(containerId, { ...line, outcome: 'skipped', error: busy });
  }

  /** Writes the line of a run that is about to be started out of its turn. */
  begin(containerId: string, dueMs: number): ScheduledRun {
    const run = this.#settleRun(containerId, { dueMs, trigger: 'manual' }, undefined);
    this.#open.set(containerId, run.id);
    return run;
  }

  /** Part of the transaction that says that the container runs. */
  started(id: number, startedAtMs: number): void {
    this.#database
      .prepare("update schedule_runs set outcome = 'running', started_ms = ? where id = ?")
      .run(startedAtMs, id);
  }

  /**
   * Part of the transaction that says that the container has ended.
   * @returns undefined when the run was none of the schedule's
   */
  ended(containerId: string, end: RunEnd): ScheduledRun | undefined {
    const id = this.#open.get(containerId);
    if (id === undefined) return undefined;
    const { outcome, error } = outcomeOf(end);
    return this.close({ id, containerId }, { ...end, outcome, error });
  }

  /** A run is over, or never began. */
  close(
    { id, containerId }: Pick<ScheduledRun, 'id' | 'containerId'>,
    end: { outcome: RunOutcome; error: string; exitCode?: number; finishedAtMs?: number },
  ): ScheduledRun | undefined {
    // The time of an exit is a file's, with fractions.
    const finishedMs = end.finishedAtMs === undefined ? null : Math.round(end.finishedAtMs);
    const row = this.#database
      .prepare(
        'update schedule_runs set outcome = ?, error = ?, exit_code = ?, finished_ms = ? where id = ? returning *',
      )
      .get(end.outcome, end.error, end.exitCode ?? null, finishedMs, id);
    this.#open.delete(containerId);
    return row && runOf(row);
  }

  /** Lines of runs whose end is not written. */
  unsettled(): ScheduledRun[] {
    return this.#database
      .prepare("select * from schedule_runs where outcome in ('starting', 'running') order by id")
      .all()
      .map(runOf);
  }

  /** Newest first. */
  history(containerId: string, limit: number = keptRuns): ScheduledRun[] {
    return this.#database
      .prepare('select * from schedule_runs where container_id = ? order by id desc limit ?')
      .all(containerId, limit)
      .map(runOf);
  }

  /** The run under way, or the newest line. */
  latest(containerId: string): ScheduledRun | undefined {
    const open = this.#open.get(containerId);
    if (open === undefined) return this.history(containerId, 1)[0];
    const row = this.#database.prepare('select * from schedule_runs where id = ?').get(open);
    return row && runOf(row);
  }

  #save(containerId: string, state: ScheduleState): void {
    this.#write(containerId, state);
    this.#states.set(containerId, state);
  }

  #write(containerId: string, { times, paused, throughMs }: ScheduleState): void {
    this.#database
      .prepare(
        'insert or replace into schedules (container_id, times, paused, through_ms) values (?, ?, ?, ?)',
      )
      .run(containerId, times, paused ? 1 : 0, throughMs);
  }

  /** Due times that pass without a start share a line while nothing else happens: a long run would fill the history. */
  #pass(containerId: string, line: NewLine): ScheduledRun {
    const [newest] = this.history(containerId, 1);
    if (newest?.outcome !== line.outcome) return this.#insert(containerId, line);
    const row = this.#database
      .prepare(
        'update schedule_runs set times = times + ?, last_due_ms = ?, error = ? where id = ? returning *',
      )
      .get(line.times, line.lastDueMs, line.error, newest.id);
    return runOf(row!);
  }

  #insert(containerId: string, line: NewLine): ScheduledRun {
    const row = this.#database
      .prepare(
        `insert into schedule_runs (container_id, trigger, due_ms, times, last_due_ms, outcome, error)
         values (?, ?, ?, ?, ?, ?, ?) returning *`,
      )
      .get(containerId, line.trigger, line.dueMs, line.times, line.lastDueMs, line.outcome, line.error);
    this.#database
      .prepare(
        `delete from schedule_runs where container_id = ?1 and outcome not in ('starting', 'running') and id <=
           (select id from schedule_runs where container_id = ?1 order by id desc limit 1 offset ?2)`,
      )
      .run(containerId, keptRuns);
    return runOf(row!);
  }
}

type NewLine = Pick<ScheduledRun, 'trigger' | 'dueMs' | 'times' | 'lastDueMs' | 'outcome' | 'error'>;

function missedLine({ firstMs, lastMs, times, more }: NonNullable<DuePlan['missed']>): NewLine {
  const error = more ? `and more: counted up to ${times}` : '';
  return { outcome: 'missed', trigger: 'due', dueMs: firstMs, lastDueMs: lastMs, times, error };
}

/** Whatever else of a schedule changes, its due times go on. */
function timesOf({ cron, timeZone }: ScheduleConfig): string {
  return `${cron} ${timeZone}`.trim();
}

function runOf(row: Record<string, SQLOutputValue>): ScheduledRun {
  const number = (column: string) => (row[column] === null ? undefined : Number(row[column]));
  return {
    id: Number(row['id']),
    containerId: String(row['container_id']),
    trigger: String(row['trigger']) as RunTrigger,
    dueMs: Number(row['due_ms']),
    times: Number(row['times']),
    lastDueMs: Number(row['last_due_ms']),
    startedAtMs: number('started_ms'),
    finishedAtMs: number('finished_ms'),
    exitCode: number('exit_code'),
    outcome: String(row['outcome']) as RunOutcome,
    error: String(row['error']),
  };
}
