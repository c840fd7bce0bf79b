import { EngineError, messageOf } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import { publishContainerEvent } from './attributes.ts';
import type { ContainerRecord } from './container.ts';
import { endLog } from './log-follow.ts';
import { releaseContainer } from './release.ts';
import { removeStopped } from './remove.ts';
import { restartDelayMs } from './restart-policy.ts';
import { startLocked } from './start.ts';

export interface ContainerExit {
  exitCode: number;
  finishedAtMs: number;
  oomKilled: boolean;
}

/**
 * A container's first process has ended: everything its run held is given back, the state says how it ended,
 * waiters hear of it, and the restart policy decides what comes next. Waiters hear last, so that whoever waited
 * finds ports and mounts free.
 */
export async function handleExit(context: EngineContext, id: string, exit: ContainerExit): Promise<void> {
  await context.locks.run(id, async () => {
    const record = context.containers.find(id);
    if (record === undefined || (record.state.status !== 'running' && record.state.status !== 'paused'))
      return;
    context.health.stop(id);
    if (exit.oomKilled) publishContainerEvent(context, record, 'oom');
    await releaseContainer(context, record);
    await endLog(context, record);
    await settleExit(context, record, exit);
  });
}

async function settleExit(
  context: EngineContext,
  record: ContainerRecord,
  exit: ContainerExit,
): Promise<void> {
  const { state } = record;
  const ranForMs = exit.finishedAtMs - state.startedAtMs;
  // What comes after a process that is being replaced is decided there.
  const replaced = context.edits.replaces(record.id);
  const policyDelayMs = restartDelayMs(record.hostConfig.restartPolicy, {
    exitCode: exit.exitCode,
    ranForMs,
    restartCount: record.restartCount,
    manuallyStopped: record.manuallyStopped,
    previousDelayMs: context.restarts.previousDelayMs(record.id),
  });
  const delayMs = replaced ? undefined : policyDelayMs;
  Object.assign(state, {
    status: delayMs === undefined ? 'exited' : 'restarting',
    pid: 0,
    exitCode: exit.exitCode,
    oomKilled: exit.oomKilled,
    finishedAtMs: exit.finishedAtMs,
  });
  // What is not checked any more is not healthy, as in Docker.
  if (state.health !== undefined) state.health.status = 'unhealthy';
  context.containers.save(record);
  publishContainerEvent(context, record, 'die', {
    exitCode: String(exit.exitCode),
    execDuration: String(Math.max(0, Math.floor(ranForMs / 1000))),
  });
  context.waits.exited(record);
  if (delayMs !== undefined) {
    context.restarts.schedule(record.id, delayMs, () => void restartByPolicy(context, record.id));
  } else if (record.hostConfig.autoRemove && !replaced) {
    await removeStopped(context, record, { volumes: true });
  }
}

/** Starts a container again because its policy says so; a start that fails counts as an exit. */
export async function restartByPolicy(context: EngineContext, id: string): Promise<void> {
  await context.locks.run(id, async () => {
    const record = context.containers.find(id);
    if (record === undefined || record.state.status !== 'restarting') return;
    record.restartCount++;
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
