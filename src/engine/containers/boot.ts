import { setTimeout as sleep } from 'node:timers/promises';
import { Semaphore } from '../../stdx/limits.ts';
import type { EngineContext } from '../context.ts';
import { planBoot } from './boot-plan.ts';
import type { ContainerRecord } from './container.ts';
import { restartByPolicy } from './exit.ts';
import { startsWithDaemon } from './restart-policy.ts';

/** Starts at once; each waits for programs most of the time. */
const startsAtOnce = 4;
/** A machine with hundreds of containers is asked for before all of them are up. */
const longestWaitMs = 3_000;

/**
 * Starts what the restart policies want running when the daemon starts, after what it joins the namespaces of.
 * Returns when all run, or after some seconds; the others then are `restarting` until it is their turn.
 */
export async function startByPolicies(context: EngineContext): Promise<void> {
  const wanted = context.containers.list().filter(record => decide(context, record));
  const all = startInOrder(context, planBoot(wanted)).catch(error => {
    context.log.error({ err: error }, 'starting containers by their restart policies failed');
  });
  await Promise.race([all, sleep(longestWaitMs, undefined, { ref: false })]);
}

async function startInOrder(context: EngineContext, levels: readonly string[][]): Promise<void> {
  const limit = new Semaphore(startsAtOnce);
  for (const ids of levels) {
    await Promise.all(ids.map(id => limit.run(() => restartByPolicy(context, id))));
  }
}

/** @returns whether it is to be started; its row then says `restarting` */
function decide(context: EngineContext, record: ContainerRecord): boolean {
  const { state, hostConfig } = record;
  if (!['created', 'exited', 'restarting'].includes(state.status)) return false;
  const wasRestarting = state.status === 'restarting';
  const wanted = startsWithDaemon(hostConfig.restartPolicy, {
    wasRunning: wasRestarting,
    manuallyStopped: record.manuallyStopped,
    exitCode: state.exitCode,
    restartCount: record.restartCount,
  });
  // One that ended because it was unhealthy goes on as well; one that nobody ever started does not.
  if ((wanted || (wasRestarting && state.endsToRestart)) && state.startedAtMs !== 0) {
    if (!wasRestarting) record.restartCount = 0;
    state.status = 'restarting';
    context.containers.save(record);
    return true;
  }
  if (wasRestarting) {
    state.status = 'exited';
    context.containers.save(record);
  }
  return false;
}
