import { EngineError, messageOf } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import { publishRun } from '../schedules/start-run.ts';
import { publishContainerEvent } from './attributes.ts';
import type { ContainerExit, ContainerRecord } from './container.ts';
import { restartForHealthDelayMs } from './health-plan.ts';
import { endLog } from './log-follow.ts';
import { releaseContainer } from './release.ts';
import { removeStopped } from './remove.ts';
import { restartDelayMs } from './restart-policy.ts';
import { startLocked } from './start.ts';

/**
 * A container's first process has ended: everything its run held is given back, the state says how it ended,
 * waiters hear of it, and the restart policy decides what comes next. Waiters hear last, so that whoever waited
 * finds ports and mounts free.
 * @param options.whileAway it ended while no daemon ran: who is started again, and in which order, is decided when all
 * such ends are known
 */
export async function handleExit(
  context: EngineContext,
  id: string,
  exit: ContainerExit,
  options: { whileAway?: boolean } = {},
): Promise<void> {
  await context.locks.run(id, async () => {
    const record = context.containers.find(id);
    if (record === undefined || (record.state.status !== 'running' && record.state.status !== 'paused'))
      return;
    context.health.stop(record);
    context.execs.forgetUnstarted(id);
    if (exit.oomKilled) publishContainerEvent(context, record, 'oom');
    // What the runtime knows of it goes with the release, and so would the exit code if the daemon is killed then.
    record.state.ended = exit;
    context.containers.save(record);
    const publishReleased = await releaseContainer(context, record);
    await endLog(context, record);
    const delayMs = await settleExit(context, record, exit, publishReleased);
    if (delayMs === undefined || options.whileAway) return;
    context.restarts.schedule(id, delayMs, () => void restartByPolicy(context, id));
  });
}

/** @returns milliseconds until it is to be started again; undefined when it is not */
async function settleExit(
  context: EngineContext,
  record: ContainerRecord,
  exit: ContainerExit,
  publishReleased: () => void,
): Promise<number | undefined> {
  const { state } = record;
  const ranForMs = exit.finishedAtMs - state.startedAtMs;
  // What comes after a process that is being replaced is decided there.
  const replaced = context.edits.replaces(record.id);
  const delayMs = replaced
    ? undefined
    : delayUntilRestart(context, record, { exitCode: exit.exitCode, ranForMs });
  Object.assign(state, {
    status: delayMs === undefined ? 'exited' : 'restarting',
    pid: 0,
    exitCode: exit.exitCode,
    oomKilled: exit.oomKilled,
    memoryPeakBytes: exit.memoryPeakBytes,
    finishedAtMs: exit.finishedAtMs,
    ended: undefined,
  });
  if (delayMs !== undefined && !exit.lost) record.restartCount++;
  const run = context.storage.database.transaction(() => {
    context.containers.save(record);
    return context.schedules.ended(record.id, {
      ...exit,
      stoppedByUser: record.restartCancelled ?? false,
      replaced,
    });
  });
  publishContainerEvent(context, record, 'die', {
    exitCode: String(exit.exitCode),
    execDuration: String(Math.max(0, Math.floor(ranForMs / 1000))),
  });
  publishReleased();
  if (run !== undefined) publishRun(context, record, run);
  context.waits.exited(record);
  if (delayMs === undefined && record.hostConfig.autoRemove && !replaced) {
    await removeStopped(context, record, { volumes: true });
  }
  return delayMs;
}

/** @returns undefined when it stays as it is */
function delayUntilRestart(
  context: EngineContext,
  record: ContainerRecord,
  exit: { exitCode: number; ranForMs: number },
): number | undefined {
  const { health, endsToRestart } = record.state;
  if (endsToRestart && health !== undefined && !record.restartCancelled) {
    health.restartDelayMs = restartForHealthDelayMs(health.restartDelayMs ?? 0);
    return health.restartDelayMs;
  }
  return restartDelayMs(record.hostConfig.restartPolicy, {
    ...exit,
    restartCount: record.restartCount,
    manuallyStopped: record.manuallyStopped,
    cancelled: record.restartCancelled ?? false,
    previousDelayMs: context.restarts.previousDelayMs(record.id),
  });
}

/** Starts a container again because its policy says so; a start that fails counts as an exit. */
export async function restartByPolicy(context: EngineContext, id: string): Promise<void> {
  await context.locks.run(id, async () => {
    const record = context.containers.find(id);
    if (record === undefined || record.state.status !== 'restarting') return;
    try {
      await startLocked(context, record);
    } catch (error) {
      context.log.warn({ container: id, err: error }, 'restarting by policy failed');
      // Docker gives up on a container whose program cannot be started at all.
      if (!(error instanceof EngineError)) record.state.error = messageOf(error);
      record.state.status = 'exited';
      context.containers.save(record);
      context.waits.exited(record);
    }
  });
}
