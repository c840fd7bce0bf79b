import type { HostConfig } from './config.ts';

/** Back-off as dockerd's restart manager has it: 100 ms, doubled at each quick exit, one minute at most. */
const firstDelayMs = 100;
const longestDelayMs = 60_000;
/** A run that lasted this long counts as a success and resets the back-off. */
const settledAfterMs = 10_000;

export interface ExitFacts {
  exitCode: number;
  ranForMs: number;
  restartCount: number;
  manuallyStopped: boolean;
  cancelled: boolean;
  /** The delay before the run that has just ended; 0 if it was started by hand. */
  previousDelayMs: number;
}

/** @returns milliseconds until the next start, or undefined when the policy leaves the container stopped. */
export function restartDelayMs(policy: HostConfig['restartPolicy'], facts: ExitFacts): number | undefined {
  if (!wantsRestart(policy, facts)) return undefined;
  if (facts.previousDelayMs === 0 || facts.ranForMs >= settledAfterMs) return firstDelayMs;
  return Math.min(facts.previousDelayMs * 2, longestDelayMs);
}

function wantsRestart(policy: HostConfig['restartPolicy'], facts: ExitFacts): boolean {
  if (facts.cancelled) return false;
  switch (policy.name) {
    case 'always':
      return true;
    case 'unless-stopped':
      return !facts.manuallyStopped;
    case 'on-failure':
      return (
        facts.exitCode !== 0 &&
        (policy.maximumRetryCount === 0 || facts.restartCount < policy.maximumRetryCount)
      );
    case 'no':
      return false;
  }
}

/**
 * Whether a container that is down is started with the daemon. Unlike dockerd's, `on-failure` leaves alone what the
 * user stopped: Docker's documentation says so, though the code 137 of a stopped one counts as a failure there.
 */
export function startsWithDaemon(
  policy: HostConfig['restartPolicy'],
  facts: { wasRunning: boolean; manuallyStopped: boolean; exitCode: number; restartCount: number },
): boolean {
  switch (policy.name) {
    case 'always':
      return true;
    case 'unless-stopped':
      return !facts.manuallyStopped;
    case 'on-failure':
      return (
        facts.wasRunning &&
        facts.exitCode !== 0 &&
        (policy.maximumRetryCount === 0 || facts.restartCount < policy.maximumRetryCount)
      );
    case 'no':
      return false;
  }
}
