import type { ScheduleRun, ScheduleSummary } from '../../api/schedules.ts';
import type { ScheduledRun } from '../../engine/schedules/run.ts';
import type { ScheduleView } from '../../engine/schedules/use-cases.ts';
import { scheduleToWire } from './host-config.ts';
import { goTime } from './time.ts';

export function scheduleSummaryToWire(view: ScheduleView): ScheduleSummary {
  const { record, schedule, paused, nextMs, latest } = view;
  return {
    Id: record.id,
    Name: record.name,
    Image: record.config.image,
    ...scheduleToWire(schedule),
    Paused: paused,
    Next: orNull(nextMs),
    Latest: latest === undefined ? null : scheduledRunToWire(latest),
  };
}

export function scheduledRunToWire(run: ScheduledRun): ScheduleRun {
  return {
    Id: run.id,
    Trigger: run.trigger,
    Due: goTime(run.dueMs),
    Times: run.times,
    LastDue: goTime(run.lastDueMs),
    StartedAt: orNull(run.startedAtMs),
    FinishedAt: orNull(run.finishedAtMs),
    ExitCode: run.exitCode ?? null,
    Outcome: run.outcome,
    Note: run.error,
  };
}

function orNull(ms: number | undefined): string | null {
  return ms === undefined ? null : goTime(ms);
}
