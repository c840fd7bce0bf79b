import type { ScheduleConfig } from '../containers/config.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { isUp } from '../containers/stop.ts';
import type { EngineContext } from '../context.ts';
import { type DueTimes, dueTimesOf } from './cron.ts';
import { planDue } from './plan.ts';
import type { ScheduledRun } from './run.ts';
import { publishRun, startRun } from './start-run.ts';

/** The clock may be set while we wait, and timers do not follow it: so we look at it now and then. */
const longestWaitMs = 60_000;

interface Watched {
  times: string;
  due: DueTimes;
  /** What the last look found; it holds until then, while the clock goes on and nothing else changes. */
  looked?: { atMs: number; throughMs: number; nextMs: number | undefined };
}

/** Starts containers when their schedules come due: one timer for all of them, none when there are none. */
export class Scheduler {
  readonly #watched = new Map<string, Watched>();
  #context: EngineContext | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe = () => {};

  /** Settles what came due while no daemon ran, and begins to watch. */
  begin(context: EngineContext): void {
    this.#context = context;
    this.#unsubscribe = context.events.watch(({ type, action, actor }) => {
      const concerns = type === 'container' && ['create', 'update', 'destroy'].includes(action);
      if (concerns && this.#follow(actor.id)) this.look();
    });
    for (const { id } of context.containers.list()) this.#follow(id);
    this.look();
  }

  close(): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
    this.#watched.clear();
  }

  /** Does what is due, and sets the timer anew. */
  look(): void {
    if (this.#context === undefined) return;
    clearTimeout(this.#timer);
    let waitMs = longestWaitMs;
    for (const [id, watched] of this.#watched) {
      try {
        const nextMs = this.#settle(this.#context, id, watched);
        if (nextMs !== undefined) waitMs = Math.min(waitMs, nextMs - Date.now());
      } catch (error) {
        this.#context.log.error({ container: id, err: error }, 'settling what is due failed');
      }
    }
    if (this.#watched.size > 0) this.#timer = setTimeout(() => this.look(), Math.max(waitMs, 1));
  }

  /** @returns whether the container has, or had, a schedule */
  #follow(id: string): boolean {
    const { containers, schedules } = this.#context!;
    const record = containers.find(id);
    if (record === undefined) schedules.forget(id);
    else schedules.follow(record);
    const schedule = record?.hostConfig.schedule;
    if (schedule === undefined) return this.#watched.delete(id);
    const { times } = schedules.state(id)!;
    if (this.#watched.get(id)?.times !== times) this.#watch(id, times, schedule);
    return true;
  }

  /** A schedule that was good when it was made may be none for another version: the daemon starts all the same. */
  #watch(id: string, times: string, schedule: ScheduleConfig): void {
    try {
      this.#watched.set(id, { times, due: dueTimesOf(schedule) });
    } catch (error) {
      this.#watched.delete(id);
      this.#context!.log.error({ container: id, err: error }, 'a schedule cannot be read');
    }
  }

  /** @returns when it comes due next */
  #settle(context: EngineContext, id: string, watched: Watched): number | undefined {
    const record = context.containers.find(id);
    const state = context.schedules.state(id)!;
    if (record === undefined || state.paused) return undefined;
    if (record.state.status === 'removing' || record.state.status === 'dead') return undefined;
    const nowMs = Date.now();
    const { throughMs } = state;
    const { looked } = watched;
    const isFresh = looked?.throughMs === throughMs && looked.atMs <= nowMs;
    if (isFresh && nowMs < (looked.nextMs ?? Number.POSITIVE_INFINITY)) return looked.nextMs;
    const catchUp = record.hostConfig.schedule?.catchUp ?? false;
    const plan = planDue({ nowMs, throughMs, catchUp }, watched.due);
    watched.looked = { atMs: nowMs, throughMs: plan.throughMs, nextMs: plan.nextMs };
    if (plan.throughMs === throughMs) return plan.nextMs;
    const busy = isUp(record) || context.schedules.hasOpenRun(id) ? 'the run before goes on' : undefined;
    for (const run of context.schedules.settle(id, plan, busy)) {
      if (run.outcome === 'starting') this.#start(context, record, run);
      else publishRun(context, record, run);
    }
    return plan.nextMs;
  }

  #start(context: EngineContext, record: ContainerRecord, run: ScheduledRun): void {
    startRun(context, record, run).catch(error => {
      context.log.error({ container: record.id, err: error }, 'settling a run of a schedule failed');
    });
  }
}
