import { StartError } from '../../runtime/start-error.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import { publishContainerEvent } from '../containers/attributes.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { startContainer } from '../containers/start.ts';
import type { EngineContext } from '../context.ts';
import type { ScheduledRun } from './run.ts';

/**
 * Starts the container for a run whose line is written. The line says `running` in the transaction in which the
 * container does.
 * @returns why it was not started; undefined when it was
 */
export async function startRun(
  context: EngineContext,
  record: ContainerRecord,
  run: ScheduledRun,
): Promise<unknown> {
  try {
    await startContainer(context, record.id, () => {
      context.schedules.started(run.id, record.state.startedAtMs);
      publishRun(context, record, { ...run, outcome: 'running' });
    });
    return undefined;
  } catch (error) {
    // Somebody else was faster than we.
    const runs = error instanceof EngineError && error.kind === 'notModified';
    const closed = context.schedules.close(run, {
      outcome: runs ? 'skipped' : 'failed',
      error: runs ? 'it was started by somebody else' : messageOf(error),
      exitCode: error instanceof StartError ? error.exitCode : undefined,
      finishedAtMs: runs ? undefined : Date.now(),
    });
    if (closed !== undefined) publishRun(context, record, closed);
    return error;
  }
}

/** Runs that a killed daemon was about to start. They may have begun, so they are not started again. */
export function settleInterruptedRuns(context: EngineContext): void {
  for (const run of context.schedules.unsettled()) {
    if (run.outcome !== 'starting') continue;
    const error = 'the daemon ended while it was being started';
    const closed = context.schedules.close(run, { outcome: 'interrupted', error });
    const record = context.containers.find(run.containerId);
    if (closed !== undefined && record !== undefined) publishRun(context, record, closed);
  }
}

/** The event `schedule: success` and its like. */
export function publishRun(context: EngineContext, record: ContainerRecord, run: ScheduledRun): void {
  publishContainerEvent(context, record, `schedule: ${run.outcome}`, {
    trigger: run.trigger,
    due: new Date(run.lastDueMs).toISOString(),
    ...(run.exitCode === undefined ? {} : { exitCode: String(run.exitCode) }),
    ...(run.error === '' ? {} : { error: run.error }),
  });
}
