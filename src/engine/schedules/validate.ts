import { EngineError } from '../../stdx/errors.ts';
import type { HostConfig, ScheduleConfig } from '../containers/config.ts';
import { dueTimesOf } from './cron.ts';

/** For clients that know no such flags (`docker create --label`, Compose). */
const labels = {
  cron: 'io.gantry.schedule',
  timeZone: 'io.gantry.schedule-time-zone',
  catchUp: 'io.gantry.schedule-catch-up',
};

/**
 * What the labels say that the caller gave. Those of the image do not count: when something runs here is not its say.
 * @throws invalid
 */
export function labelledSchedule(given: Record<string, string>): ScheduleConfig | undefined {
  const cron = given[labels.cron];
  const timeZone = given[labels.timeZone] ?? '';
  const catchUp = given[labels.catchUp] ?? 'false';
  if (catchUp !== 'true' && catchUp !== 'false') {
    throw new EngineError(
      'invalid',
      `invalid label ${labels.catchUp}=${JSON.stringify(catchUp)}: use true, false`,
    );
  }
  return cron === undefined ? undefined : { cron, timeZone, catchUp: catchUp === 'true' };
}

/** @throws invalid for a schedule that is none or never comes due, and for what goes against one */
export function validateSchedule(hostConfig: HostConfig): void {
  const { schedule, autoRemove, restartPolicy, healthOnFailure } = hostConfig;
  if (schedule === undefined) return;
  if (dueTimesOf(schedule).next(Date.now()) === undefined) {
    throw new EngineError('invalid', `schedule ${JSON.stringify(schedule.cron)} never comes due`);
  }
  if (autoRemove) throw conflicting('be removed when it ends (--rm)', 'the next run needs it');
  const only = 'its schedule alone says when it is started';
  if (restartPolicy.name !== 'no') throw conflicting(`have the restart policy ${restartPolicy.name}`, only);
  if (healthOnFailure === 'restart') throw conflicting('be restarted when it is unhealthy', only);
}

/** An update to a schedule without times takes it away. */
export function withoutEndedSchedule(hostConfig: HostConfig): HostConfig {
  if (hostConfig.schedule?.cron !== '') return hostConfig;
  const { schedule: _, ...others } = hostConfig;
  return others;
}

function conflicting(what: string, why: string): EngineError {
  return new EngineError(
    'invalid',
    `conflicting options: a container with a schedule cannot ${what}: ${why}`,
  );
}
