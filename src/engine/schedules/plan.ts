import type { DueTimes } from './cron.ts';
import type { RunTrigger } from './run.ts';

/** A start so much after its time is still on time: a daemon that was started anew has not missed it. */
const graceMs = 60_000;
/** A clock set back further than this was wrong before (Vixie cron draws the line there as well). */
const farBackMs = 3 * 3600_000;
/** Due times that were missed are counted one by one, up to here. */
const mostCounted = 100;

/** What is to be done about a schedule at some moment. */
export interface DuePlan {
  /** Due times that passed without a start. */
  missed?: { firstMs: number; lastMs: number; times: number /** And more, uncounted. */; more: boolean };
  /** The one to start for now. */
  run?: { dueMs: number; trigger: RunTrigger };
  /** Due times up to here are settled: none of them ever comes again. */
  throughMs: number;
  /** When to look again; undefined when it never comes due any more. */
  nextMs: number | undefined;
}

/**
 * Decides what has come due since the times that are settled. At most one start comes of it: the latest due time,
 * when it is no more than a minute ago or `catchUp` is asked for; whatever else has passed was missed. Times that
 * are settled do not come again when the clock is set back, unless it is set back so far that it must have been wrong.
 */
export function planDue(
  { nowMs, throughMs, catchUp }: { nowMs: number; throughMs: number; catchUp: boolean },
  due: DueTimes,
): DuePlan {
  if (throughMs - nowMs > farBackMs) return { throughMs: nowMs, nextMs: due.next(nowMs) };
  const firstMs = due.next(throughMs);
  if (firstMs === undefined || firstMs > nowMs) return { throughMs, nextMs: firstMs };
  const { times, lastMs, beforeLastMs, more } = countDue(due, firstMs, nowMs);
  const onTime = nowMs - lastMs <= graceMs;
  const plan: DuePlan = { throughMs: lastMs, nextMs: due.next(Math.max(lastMs, nowMs)) };
  if (onTime || catchUp) {
    plan.run = { dueMs: lastMs, trigger: onTime ? 'due' : 'catch-up' };
    if (times > 1) plan.missed = { firstMs, lastMs: beforeLastMs, times: times - 1, more };
  } else {
    plan.missed = { firstMs, lastMs, times, more };
  }
  return plan;
}

function countDue(due: DueTimes, firstMs: number, nowMs: number) {
  let lastMs = firstMs;
  let beforeLastMs = firstMs;
  for (let times = 1; times <= mostCounted; times++) {
    const nextMs = due.next(lastMs);
    if (nextMs === undefined || nextMs > nowMs) return { times, lastMs, beforeLastMs, more: false };
    beforeLastMs = lastMs;
    lastMs = nextMs;
  }
  lastMs = due.last(nowMs) ?? lastMs;
  return { times: mostCounted, lastMs, beforeLastMs: due.last(lastMs - 1) ?? beforeLastMs, more: true };
}
