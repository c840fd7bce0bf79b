import { isDeepStrictEqual } from 'node:util';
import { EngineError, within } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import { validateSchedule, withoutEndedSchedule } from '../schedules/validate.ts';
import { publishContainerEvent } from './attributes.ts';
import { bandwidthOf } from './bandwidth.ts';
import { type HostConfig, noLimits, type Resources } from './config.ts';
import type { ContainerRecord } from './container.ts';
import { validateHealthFailureAction } from './health-failure.ts';
import { settleResources, updatedResources } from './resource-limits.ts';
import { resourcesOf } from './spec-input.ts';
import { isUp } from './stop.ts';
import { validateHostConfig } from './validate.ts';

/** Changes limits and the restart policy, of a running container at once. All or nothing. */
export async function updateContainer(
  context: EngineContext,
  ref: string,
  changes: Partial<HostConfig>,
): Promise<{ warnings: string[] }> {
  const record = context.containers.get(ref);
  const warnings: string[] = [];
  await context.locks.run(record.id, async () => {
    context.edits.requireNone(record);
    refusePolicyOfAutoRemove(record, changes);
    const settled = settleResources({ ...noLimits, ...changes }, context.runtime.host.limits, true);
    warnings.push(...settled.warnings);
    const changed = present(settled.resources);
    const updated = await updating(record, () => updatedResources(record.hostConfig, changed));
    const hostConfig = withoutEndedSchedule(updated);
    validateHostConfig(hostConfig, record.config);
    validateHealthFailureAction({ config: record.config, hostConfig });
    validateSchedule(hostConfig);
    if (isUp(record) && record.state.status !== 'restarting') {
      await updating(record, () => changeRunning(context, record, hostConfig, changed));
    }
    record.hostConfig = hostConfig;
    context.storage.database.transaction(() => {
      context.containers.save(record);
      context.schedules.follow(record);
    });
    publishContainerEvent(context, record, 'update');
  });
  return { warnings };
}

/** @throws conflict */
export function refusePolicyOfAutoRemove(record: ContainerRecord, changes: Partial<HostConfig>): void {
  if (!record.hostConfig.autoRemove || (changes.restartPolicy?.name ?? 'no') === 'no') return;
  throw new EngineError(
    'conflict',
    `Cannot update container ${record.id}: Restart policy cannot be updated because AutoRemove is enabled for the container`,
  );
}

async function updating<T>({ id }: ContainerRecord, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw within(`Cannot update container ${id}`, error);
  }
}

async function changeRunning(
  context: EngineContext,
  record: ContainerRecord,
  hostConfig: HostConfig,
  changes: Partial<HostConfig>,
): Promise<void> {
  const {
    networkBandwidth,
    restartPolicy: _,
    healthOnFailure: _action,
    schedule: _times,
    ...limits
  } = changes;
  if (Object.keys(limits).length > 0) await context.runtime.update(record.id, resourcesOf(hostConfig));
  if (networkBandwidth !== undefined) {
    context.network.limitBandwidth(record.id, bandwidthOf(hostConfig));
  }
}

/** Only what the caller gave and this kernel has. */
function present(changes: HostConfigChanges): Partial<HostConfig> {
  return Object.fromEntries(
    Object.entries(changes).filter(
      ([field, value]) => !isDeepStrictEqual(value, noLimits[field as keyof Resources]),
    ),
  );
}

type HostConfigChanges = Resources & Partial<HostConfig>;
