import { EngineError } from '../../stdx/errors.ts';
import { publishContainerEvent } from '../containers/attributes.ts';
import type { ScheduleConfig } from '../containers/config.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { isUp } from '../containers/stop.ts';
import type { EngineContext } from '../context.ts';
import type { ScheduleUseCases } from '../engine.ts';
import { daemonTimeZone, dueTimesOf } from './cron.ts';
import type { ScheduledRun } from './run.ts';
import { startRun } from './start-run.ts';

/** A container's schedule as it stands now. */
export interface ScheduleView {
  record: ContainerRecord;
  /** With the time zone it is in. */
  schedule: ScheduleConfig;
  paused: boolean;
  /** undefined while it is paused. */
  nextMs?: number;
  /** The run under way, or the newest line of the history. */
  latest?: ScheduledRun;
}

export function scheduleUseCases(context: EngineContext): ScheduleUseCases {
  return {
    list: () => context.containers.list().flatMap(record => scheduleOf(context, record) ?? []),
    history(ref, limit) {
      return context.schedules.history(context.containers.get(ref).id, limit);
    },
    run: ref => runNow(context, requireSchedule(context, ref)),
    pause(ref) {
      const record = requireSchedule(context, ref);
      if (context.schedules.state(record.id)!.paused) {
        throw new EngineError('conflict', `the schedule of container ${record.name} is paused already`);
      }
      context.schedules.pause(record.id);
      publishContainerEvent(context, record, 'schedule: paused');
    },
    resume(ref) {
      const record = requireSchedule(context, ref);
      if (!context.schedules.state(record.id)!.paused) {
        throw new EngineError('conflict', `the schedule of container ${record.name} is not paused`);
      }
      context.schedules.resume(record.id);
      publishContainerEvent(context, record, 'schedule: resumed');
      context.scheduler.look();
    },
  };
}

/** @returns undefined when it has none */
export function scheduleOf(context: EngineContext, record: ContainerRecord): ScheduleView | undefined {
  const { schedule } = record.hostConfig;
  const state = context.schedules.state(record.id);
  if (schedule === undefined || state === undefined) return undefined;
  const nextMs = state.paused ? undefined : dueTimesOf(schedule).next(Math.max(state.throughMs, Date.now()));
  return {
    record,
    schedule: { ...schedule, timeZone: schedule.timeZone || daemonTimeZone() },
    paused: state.paused,
    nextMs,
    latest: context.schedules.latest(record.id),
  };
}

/** @throws conflict */
function requireSchedule(context: EngineContext, ref: string): ContainerRecord {
  const record = context.containers.get(ref);
  if (context.schedules.state(record.id) !== undefined) return record;
  throw new EngineError('conflict', `container ${record.name} has no schedule`);
}

/** A run out of turn, which has its line in the history as well. @throws conflict; why it could not be started */
async function runNow(context: EngineContext, record: ContainerRecord): Promise<void> {
  if (isUp(record) || context.schedules.hasOpenRun(record.id)) {
    throw new EngineError('conflict', `Container ${record.name} is already running`);
  }
  const run = context.schedules.begin(record.id, Date.now());
  const failure = await startRun(context, record, run);
  if (failure !== undefined) throw failure;
}
