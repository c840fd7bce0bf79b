import type { HealthcheckConfig } from '../../oci/image.ts';
import type { HealthFailureAction } from './config.ts';
import type { HealthState } from './container.ts';

/** Docker's defaults (daemon/health.go). */
const defaultIntervalMs = 30_000;
const defaultTimeoutMs = 30_000;
const defaultStartIntervalMs = 5_000;
const defaultRetries = 3;
/** Results that are kept. */
const keptResults = 5;
/** Between restarts for health: doubled each time until a check passes, as for quick exits. */
const firstRestartDelayMs = 100;
const longestRestartDelayMs = 60_000;

export interface HealthPlan {
  /** argv of the probe. */
  command: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
}

/** @returns undefined when the container has no health check. */
export function planHealth(
  check: HealthcheckConfig | undefined,
  shell: readonly string[],
): HealthPlan | undefined {
  const [kind, ...rest] = check?.Test ?? [];
  // A kind that nobody knows is no check, as in Docker; so is one without a program, which makes dockerd panic.
  if (check === undefined || (kind !== 'CMD' && kind !== 'CMD-SHELL') || rest.length === 0) return undefined;
  const milliseconds = (ns: number | undefined, fallback: number) => (ns ? ns / 1e6 : fallback);
  const intervalMs = milliseconds(check.Interval, defaultIntervalMs);
  return {
    command: kind === 'CMD-SHELL' ? [...shell, ...rest] : rest,
    intervalMs,
    timeoutMs: milliseconds(check.Timeout, defaultTimeoutMs),
    startPeriodMs: milliseconds(check.StartPeriod, 0),
    // One that nobody asked for never makes checks rarer than they were before Docker had it.
    startIntervalMs: milliseconds(check.StartInterval, Math.min(defaultStartIntervalMs, intervalMs)),
    retries: check.Retries || defaultRetries,
  };
}

/** Until the next probe, for a container whose start was so long ago. */
export function probeDelayMs(plan: HealthPlan, health: HealthState, sinceStartMs: number): number {
  const starting = health.status === 'starting' && sinceStartMs < plan.startPeriodMs;
  return starting ? plan.startIntervalMs : plan.intervalMs;
}

export interface ProbeResult {
  startMs: number;
  endMs: number;
  /** 0 healthy, anything else not; -1 for a probe that took too long or could not be run. */
  exitCode: number;
  output: string;
}

/** The health after one more probe. Failures in the start period do not count, a success ends it. */
export function healthAfter(
  health: HealthState,
  result: ProbeResult,
  plan: HealthPlan,
  startedAtMs: number,
): HealthState {
  const log = [...health.log, result].slice(-keptResults);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  const starting = health.status === 'starting' && result.startMs - startedAtMs < plan.startPeriodMs;
  if (starting) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  const status = failingStreak >= plan.retries ? 'unhealthy' : health.status;
  return { ...health, status, failingStreak, log };
}

/** Whether the checks have failed so often that `--health-on-failure` has its turn. */
export function hasFailed(health: HealthState, plan: HealthPlan): boolean {
  return health.status === 'unhealthy' && health.failingStreak >= plan.retries;
}

/** The health at the beginning of a run: the results of the run before stay readable, as in Docker. */
export function healthAtStart(before: HealthState | undefined): HealthState {
  const { log = [], restartDelayMs } = before ?? {};
  return { status: 'starting', failingStreak: 0, log, ...(restartDelayMs && { restartDelayMs }) };
}

/** @param previousMs the delay before the run that has failed; 0 when it was started otherwise, or was healthy once. */
export function restartForHealthDelayMs(previousMs: number): number {
  return previousMs === 0 ? firstRestartDelayMs : Math.min(previousMs * 2, longestRestartDelayMs);
}

export const healthFailureActions: readonly HealthFailureAction[] = ['none', 'restart', 'stop', 'kill'];
/** For clients that know no such flag (`docker run --label`, Compose): the same words as its value. */
export const healthFailureLabel = 'io.gantry.health-on-failure';
