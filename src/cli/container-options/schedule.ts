import type { RestartPolicy, Schedule } from '../../api/containers.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { FlagValues } from '../flags.ts';

/** @throws invalid for flags that say more of a schedule that was not given */
export function parseSchedule(flags: FlagValues): Schedule | undefined {
  if (flags.changed('schedule')) {
    return {
      Cron: flags.string('schedule'),
      TimeZone: flags.string('schedule-time-zone'),
      CatchUp: flags.on('schedule-catch-up'),
    };
  }
  for (const name of ['schedule-time-zone', 'schedule-catch-up']) {
    if (flags.changed(name)) throw new EngineError('invalid', `--${name} needs --schedule`);
  }
  return undefined;
}

/** @throws invalid for what goes against a schedule, with the reason */
export function refuseBesideSchedule(flags: FlagValues, { Name }: RestartPolicy): void {
  const refuse = (flag: string, why: string) =>
    new EngineError('invalid', `conflicting options: cannot specify both --schedule and --${flag}: ${why}`);
  if (flags.string('schedule') === '') throw new EngineError('invalid', '--schedule needs times to start at');
  if (flags.on('rm')) throw refuse('rm', 'the next run needs the container');
  if (Name !== 'no' && Name !== '') throw refuse('restart', 'the schedule alone says when it is started');
  if (flags.changed('attach')) throw refuse('attach', 'it is started later');
}
