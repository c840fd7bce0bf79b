import type { HealthcheckConfig } from '../../oci/image.ts';
import { messageOf } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import { runProbe } from '../execs/probe.ts';
import { publishContainerEvent } from './attributes.ts';
import type { ContainerRecord, HealthState } from './container.ts';

/** Docker's defaults (daemon/health.go). */
const defaultIntervalMs = 30_000;
const defaultTimeoutMs = 30_000;
const defaultStartIntervalMs = 5_000;
const defaultRetries = 3;
/** Results and bytes of output that are kept. */
const keptResults = 5;
const keptOutputBytes = 4096;

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
  if (check === undefined || kind === undefined || kind === 'NONE') return undefined;
  const milliseconds = (ns: number | undefined, fallback: number) => (ns ? ns / 1e6 : fallback);
  return {
    command: kind === 'CMD-SHELL' ? [...shell, rest[0] ?? ''] : rest,
    intervalMs: milliseconds(check.Interval, defaultIntervalMs),
    timeoutMs: milliseconds(check.Timeout, defaultTimeoutMs),
    startPeriodMs: milliseconds(check.StartPeriod, 0),
    startIntervalMs: milliseconds(check.StartInterval, defaultStartIntervalMs),
    retries: check.Retries || defaultRetries,
  };
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
  return { status, failingStreak, log };
}

/** Runs the health checks of all running containers, each on its own timer. */
export class HealthMonitor {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #context: EngineContext | undefined;

  attachTo(context: EngineContext): void {
    this.#context = context;
  }

  /** Begins anew for a container that has started, or goes on for one that was adopted with its health kept. */
  start(record: ContainerRecord): void {
    const plan = planHealth(record.config.healthcheck, record.config.shell ?? ['/bin/sh', '-c']);
    if (plan === undefined) return;
    record.state.health ??= { status: 'starting', failingStreak: 0, log: [] };
    this.#schedule(record, plan);
  }

  stop(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  close(): void {
    for (const id of [...this.#timers.keys()]) this.stop(id);
  }

  #schedule(record: ContainerRecord, plan: HealthPlan): void {
    const inStartPeriod =
      record.state.health?.status === 'starting' &&
      Date.now() - record.state.startedAtMs < plan.startPeriodMs;
    const delayMs = inStartPeriod ? Math.min(plan.startIntervalMs, plan.intervalMs) : plan.intervalMs;
    this.#timers.set(
      record.id,
      setTimeout(() => void this.#probe(record, plan), delayMs),
    );
  }

  async #probe(record: ContainerRecord, plan: HealthPlan): Promise<void> {
    const timer = this.#timers.get(record.id);
    const result = record.state.status === 'paused' ? undefined : await this.#run(record, plan);
    // Stopped, or started anew, while the probe ran: its result belongs to nobody.
    if (this.#timers.get(record.id) !== timer || timer === undefined) return;
    if (result !== undefined && record.state.status === 'running') this.#settle(record, plan, result);
    this.#schedule(record, plan);
  }

  async #run(record: ContainerRecord, plan: HealthPlan): Promise<ProbeResult> {
    const startMs = Date.now();
    try {
      const { exitCode, output, timedOut } = await runProbe(this.#context!, record, plan.command, {
        timeoutMs: plan.timeoutMs,
        outputLimitBytes: keptOutputBytes,
      });
      if (!timedOut) return { startMs, endMs: Date.now(), exitCode, output };
      const late = `Health check exceeded timeout (${plan.timeoutMs / 1000}s)`;
      return {
        startMs,
        endMs: Date.now(),
        exitCode: -1,
        output: output === '' ? late : `${late}: ${output}`,
      };
    } catch (error) {
      return { startMs, endMs: Date.now(), exitCode: -1, output: messageOf(error) };
    }
  }

  #settle(record: ContainerRecord, plan: HealthPlan, result: ProbeResult): void {
    const before = record.state.health ?? { status: 'starting', failingStreak: 0, log: [] };
    const after = healthAfter(before, result, plan, record.state.startedAtMs);
    record.state.health = after;
    this.#context!.containers.save(record);
    if (after.status !== before.status) {
      publishContainerEvent(this.#context!, record, `health_status: ${after.status}`);
    }
  }
}
