import { Cron } from 'croner';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import type { ScheduleConfig } from '../containers/config.ts';

/** When a schedule comes due: whole seconds, in milliseconds since the epoch. */
export interface DueTimes {
  /** The first after an instant; undefined when there is none any more. */
  next(afterMs: number): number | undefined;
  /** The last up to an instant, that one included. */
  last(upToMs: number): number | undefined;
}

const longestText = 200;

/**
 * Reads a schedule: five fields, six with seconds in front, or a name such as `@daily`.
 *
 * Where clocks are put forward, a time of day that does not exist comes due right after the gap; where they are put
 * back, one that comes twice counts once. What has a `*` or a step in its time of day just goes on, as in Vixie cron.
 * @throws invalid
 */
export function dueTimesOf({ cron: text, timeZone }: Pick<ScheduleConfig, 'cron' | 'timeZone'>): DueTimes {
  requireTimeZone(timeZone);
  const cron = parse(text, timeZone);
  return {
    next: afterMs => cron.nextRun(new Date(afterMs))?.getTime(),
    // croner means "before", but counts what is earlier in the same second.
    last: upToMs => cron.previousRuns(1, new Date(upToMs + 1))[0]?.getTime(),
  };
}

/** The time zone a schedule without one is in: the daemon's. */
export function daemonTimeZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function parse(text: string, timezone: string): Cron {
  const invalid = (why: string) =>
    new EngineError('invalid', `invalid schedule ${JSON.stringify(text.slice(0, longestText))}: ${why}`);
  if (text.length > longestText) throw invalid(`it is longer than ${longestText} characters`);
  const fields = text.trim().split(/\s+/);
  // croner reads dates as well.
  const isName = fields.length === 1 && text.trim().startsWith('@');
  if (!isName && fields.length !== 5 && fields.length !== 6) {
    throw invalid('want five fields, six with seconds in front, or a name such as "@daily"');
  }
  if (isName && /^@reboot$/i.test(fields[0]!)) {
    throw invalid('to start with the daemon is what a restart policy is for');
  }
  try {
    return new Cron(text.trim(), {
      mode: '5-or-6-parts',
      fixedTimeRule: 'no-wildcard',
      paused: true,
      timezone: timezone || undefined,
    });
  } catch (error) {
    throw invalid(messageOf(error).replace(/^\w+: /, ''));
  }
}

function requireTimeZone(timeZone: string): void {
  if (timeZone === '') return;
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    throw new EngineError('invalid', `unknown time zone ${JSON.stringify(timeZone)}`);
  }
}
