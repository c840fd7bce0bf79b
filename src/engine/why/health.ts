import type { Evidence, HealthEvidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { quoteLines, showCommand, showDuration } from './text.ts';

/** Why it is not healthy, or not yet. */
export function diagnoseHealth(evidence: Evidence): Finding[] {
  const { health, status } = evidence;
  if (health === undefined || status !== 'running' || health.state.status === 'healthy') return [];
  const failures = health.state.log.filter(({ exitCode }) => exitCode !== 0);
  const last = failures.at(-1);
  if (last === undefined) return [notCheckedYet(evidence, health)];
  const { title, mend } = explain(evidence, health, last);
  return [
    {
      check: 'health',
      severity: 'problem',
      title,
      evidence: [
        `the check is: ${showCommand(health.command)}`,
        timing(health),
        `it is ${health.state.status}: ${health.state.failingStreak} failures in a row count so far, ${health.retries} make it unhealthy`,
        ...failures
          .slice(-3)
          .map(
            ({ startMs, endMs, exitCode }) =>
              `${showDuration(startMs - evidence.startedAtMs)} after the start: ${exitCode === -1 ? 'no answer' : `exit code ${exitCode}`} after ${showDuration(endMs - startMs)}`,
          ),
        ...quoteLines(
          last.output
            .trimEnd()
            .split('\n')
            .filter(line => line !== ''),
        ),
      ],
      mend,
    },
  ];
}

function timing({ intervalMs, timeoutMs, startPeriodMs }: HealthEvidence): string {
  const grace = startPeriodMs === 0 ? 'no start period' : `a start period of ${showDuration(startPeriodMs)}`;
  return `every ${showDuration(intervalMs)}, at most ${showDuration(timeoutMs)} long, ${grace}`;
}

function notCheckedYet({ nowMs, startedAtMs }: Evidence, health: HealthEvidence): Finding {
  return {
    check: 'health',
    severity: 'note',
    title: 'Its health was not checked yet.',
    evidence: [`it was started ${showDuration(nowMs - startedAtMs)} ago`, timing(health)],
    mend: [`wait, or run it with a shorter --health-interval or --health-start-interval`],
  };
}

function explain(
  { name }: Evidence,
  { state, timeoutMs, startPeriodMs, command }: HealthEvidence,
  last: HealthEvidence['state']['log'][number],
): { title: string; mend: string[] } {
  if (last.exitCode === -1 && /exceeded timeout/.test(last.output)) {
    return {
      title: `Its health check takes longer than the ${showDuration(timeoutMs)} it has.`,
      mend: [
        `gantry exec ${name} ${showCommand(command)}    # how long does it take?`,
        `run it with a longer --health-timeout`,
      ],
    };
  }
  if (
    last.exitCode === 127 ||
    last.exitCode === 126 ||
    last.exitCode === -1 ||
    /not found/.test(last.output)
  ) {
    return {
      title: 'Its health check cannot be run: the program is not in the image.',
      mend: [`run it with a --health-cmd that the image has; many have neither curl nor wget`],
    };
  }
  if (state.status === 'starting') {
    return {
      title: 'It is slow to become healthy: its first checks failed.',
      mend: [
        `gantry logs --tail 20 ${name}    # is it still coming up?`,
        `run it with a --health-start-period longer than it needs (now ${showDuration(startPeriodMs)})`,
      ],
    };
  }
  return {
    title: 'Its health check fails.',
    mend: [
      `gantry exec ${name} ${showCommand(command)}    # try it by hand`,
      `gantry logs --tail 20 ${name}`,
    ],
  };
}
