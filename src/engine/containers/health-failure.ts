import { SIGKILL } from '../../runtime/signals.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import { publishContainerEvent } from './attributes.ts';
import type { ContainerConfig, HealthFailureAction, HostConfig } from './config.ts';
import type { ContainerRecord } from './container.ts';
import { healthFailureActions, healthFailureLabel, planHealth } from './health-plan.ts';
import { parseSignalOption } from './signals.ts';
import { defaultStopTimeoutS, stopContainer, terminate } from './stop.ts';

/** What the container's label says, for callers that have no other way to say it. */
export function labelledHealthFailureAction(config: ContainerConfig): HealthFailureAction | undefined {
  return config.labels[healthFailureLabel] as HealthFailureAction | undefined;
}

/** @throws invalid for a word that is none, without a health check, and for a restart of what goes at its end */
export function validateHealthFailureAction(record: {
  config: ContainerConfig;
  hostConfig: HostConfig;
}): void {
  const action = record.hostConfig.healthOnFailure ?? 'none';
  if (!healthFailureActions.includes(action)) {
    throw new EngineError(
      'invalid',
      `invalid action on failing health "${action}": use ${healthFailureActions.join(', ')}`,
    );
  }
  if (action === 'none') return;
  if (planHealth(record.config.healthcheck, []) === undefined) {
    throw new EngineError('invalid', `cannot ${action} an unhealthy container that has no health check`);
  }
  if (action === 'restart' && record.hostConfig.autoRemove) {
    throw new EngineError('invalid', "can't create 'AutoRemove' container that restarts when unhealthy");
  }
}

/**
 * A check has left the container unhealthy. `stop` is as if a user stopped it; `kill` leaves it to the restart
 * policy; `restart` stops it in its own time and starts it again, later each time until a check passes. That it
 * shall be restarted is in its row before it is stopped: whichever daemon sees its end goes on.
 */
export async function actOnFailedHealth(context: EngineContext, record: ContainerRecord): Promise<void> {
  const action = record.hostConfig.healthOnFailure ?? 'none';
  if (action === 'none' || record.state.status !== 'running' || context.containers.find(record.id) !== record)
    return;
  context.health.stop(record);
  const { failingStreak = 0, log = [] } = record.state.health ?? {};
  record.state.endsToRestart = action === 'restart';
  context.containers.save(record);
  publishContainerEvent(context, record, `health_failure: ${action}`, {
    failingStreak: String(failingStreak),
    output: log.at(-1)?.output ?? '',
  });
  if (action === 'stop') {
    await stopContainer(context, record.id);
    return;
  }
  const signal = action === 'kill' ? SIGKILL : parseSignalOption(record.config.stopSignal || 'SIGTERM');
  await terminate(context, record, signal, record.config.stopTimeoutS ?? defaultStopTimeoutS, {
    byUser: false,
  });
}
