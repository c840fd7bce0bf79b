import { messageOf } from '../../stdx/errors.ts';
import { formatGoDuration } from '../../stdx/go-duration.ts';
import type { EngineContext } from '../context.ts';
import { runProbe } from '../execs/probe.ts';
import { publishContainerEvent } from './attributes.ts';
import type { ContainerRecord } from './container.ts';
import {
  type HealthPlan,
  hasFailed,
  healthAfter,
  healthAtStart,
  type ProbeResult,
  planHealth,
  probeDelayMs,
} from './health-plan.ts';

const keptOutputBytes = 4096;

/** The checks of one run of a container. */
interface Watch {
  record: ContainerRecord;
  plan: HealthPlan;
  /** Aborted when nobody wants to know any more: a probe that runs is then killed. */
  ending: AbortController;
  timer?: NodeJS.Timeout;
}

export type HealthFailureListener = (record: ContainerRecord) => void;

/** Runs the health checks of all running containers, each on its own timer. */
export class HealthMonitor {
  /** Since the daemon was started. */
  readonly counts = { checks: 0, failed: 0 };
  readonly #watches = new Map<string, Watch>();
  #context: EngineContext | undefined;
  #onFailure: HealthFailureListener = () => {};

  /** @param onFailure told after each check that leaves a container unhealthy */
  attachTo(context: EngineContext, onFailure: HealthFailureListener): void {
    this.#context = context;
    this.#onFailure = onFailure;
  }

  /** Begins anew for a container that has started; the caller saves the record. */
  start(record: ContainerRecord): void {
    const plan = planOf(record);
    record.state.health = plan && healthAtStart(record.state.health);
    if (plan !== undefined) this.#watch(record, plan);
  }

  /** Goes on for a container that was thawed, or that a former daemon has watched. */
  resume(record: ContainerRecord): void {
    const plan = planOf(record);
    if (plan === undefined) return;
    record.state.health ??= healthAtStart(undefined);
    this.#watch(record, plan);
    if (hasFailed(record.state.health, plan)) this.#onFailure(record);
  }

  /**
   * Ends the checks of a container that has ended or is about to be frozen; the caller saves the record. What is not
   * checked any more counts as unhealthy, as in Docker.
   */
  stop(record: ContainerRecord): void {
    if (record.state.health !== undefined) record.state.health.status = 'unhealthy';
    this.#end(record.id);
  }

  close(): void {
    for (const id of [...this.#watches.keys()]) this.#end(id);
  }

  #watch(record: ContainerRecord, plan: HealthPlan): void {
    this.#end(record.id);
    const watch: Watch = { record, plan, ending: new AbortController() };
    this.#watches.set(record.id, watch);
    this.#schedule(watch);
  }

  #end(id: string): void {
    const watch = this.#watches.get(id);
    clearTimeout(watch?.timer);
    watch?.ending.abort();
    this.#watches.delete(id);
  }

  #schedule(watch: Watch): void {
    const { health, startedAtMs } = watch.record.state;
    if (health === undefined) return;
    const delayMs = probeDelayMs(watch.plan, health, Date.now() - startedAtMs);
    watch.timer = setTimeout(() => void this.#probe(watch), delayMs);
  }

  async #probe(watch: Watch): Promise<void> {
    const result = await this.#run(watch);
    // Stopped, or started anew, while the probe ran: its result belongs to nobody.
    if (watch.ending.signal.aborted) return;
    // Nor does that of one whose process has ended: its exit is told in a moment, and says more.
    if (result.exitCode !== 0 && this.#context!.runtime.state(watch.record.id).status === 'exited') return;
    this.#settle(watch, result);
    this.#schedule(watch);
  }

  async #run({ record, plan, ending }: Watch): Promise<ProbeResult> {
    const startMs = Date.now();
    try {
      const { exitCode, output, timedOut } = await runProbe(this.#context!, record, plan.command, {
        timeoutMs: plan.timeoutMs,
        outputLimitBytes: keptOutputBytes,
        signal: ending.signal,
      });
      if (!timedOut) return { startMs, endMs: Date.now(), exitCode, output };
      const late = `Health check exceeded timeout (${formatGoDuration(plan.timeoutMs * 1e6)})`;
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

  #settle({ record, plan }: Watch, result: ProbeResult): void {
    const before = record.state.health ?? healthAtStart(undefined);
    this.counts.checks++;
    if (result.exitCode !== 0) this.counts.failed++;
    const after = healthAfter(before, result, plan, record.state.startedAtMs);
    record.state.health = after;
    this.#context!.containers.save(record);
    if (after.status !== before.status) {
      publishContainerEvent(this.#context!, record, `health_status: ${after.status}`);
    }
    if (hasFailed(after, plan)) this.#onFailure(record);
  }
}

function planOf(record: ContainerRecord): HealthPlan | undefined {
  return planHealth(record.config.healthcheck, record.config.shell ?? ['/bin/sh', '-c']);
}
