import { EngineError, within } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import { publishContainerEvent } from './attributes.ts';
import type { HostConfig, Resources } from './config.ts';
import type { ContainerRecord } from './container.ts';
import { validateHealthFailureAction } from './health-failure.ts';
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
  await context.locks.run(record.id, async () => {
    context.edits.requireNone(record);
    refusePolicyOfAutoRemove(record, changes);
    const hostConfig = hostConfigAfter(record, changes);
    validateHostConfig({ ...hostConfig, ...cpuLimitsOf(changes) }, record.config);
    validateHealthFailureAction({ config: record.config, hostConfig });
    refuseOtherCpuLimit(record, changes);
    if (isUp(record) && record.state.status !== 'restarting' && changesLimits(changes)) {
      try {
        await context.runtime.update(record.id, resourcesOf(hostConfig));
      } catch (error) {
        throw within(`Cannot update container ${record.id}`, error);
      }
    }
    record.hostConfig = hostConfig;
    context.containers.save(record);
    publishContainerEvent(context, record, 'update');
  });
  return { warnings: [] };
}

export function hostConfigAfter(record: ContainerRecord, changes: Partial<HostConfig>): HostConfig {
  const hostConfig: HostConfig = { ...record.hostConfig, ...changes };
  if (changes.memoryBytes && !changes.memorySwapBytes && hostConfig.memorySwapBytes < changes.memoryBytes) {
    hostConfig.memorySwapBytes = changes.memoryBytes * 2;
  }
  return hostConfig;
}

/** @throws conflict */
export function refusePolicyOfAutoRemove(record: ContainerRecord, changes: Partial<HostConfig>): void {
  if (!record.hostConfig.autoRemove || (changes.restartPolicy?.name ?? 'no') === 'no') return;
  throw new EngineError(
    'conflict',
    `Cannot update container ${record.id}: Restart policy cannot be updated because AutoRemove is enabled for the container`,
  );
}

/** Of the request alone: what conflicts with the container's own limits is said in other words. */
function cpuLimitsOf({
  nanoCpus = 0,
  cpuPeriodUs = 0,
  cpuQuotaUs = 0,
}: Partial<HostConfig>): Pick<HostConfig, 'nanoCpus' | 'cpuPeriodUs' | 'cpuQuotaUs'> {
  return { nanoCpus, cpuPeriodUs, cpuQuotaUs };
}

/** --cpus is a limit of its own, beside --cpu-period and --cpu-quota: a container has the one or the other. */
export function refuseOtherCpuLimit({ id, hostConfig }: ContainerRecord, changes: Partial<HostConfig>): void {
  const limits = [
    ['Nano CPUs', 'nanoCpus', 'CPU Period', 'cpuPeriodUs'],
    ['Nano CPUs', 'nanoCpus', 'CPU Quota', 'cpuQuotaUs'],
    ['CPU Period', 'cpuPeriodUs', 'NanoCPUs', 'nanoCpus'],
    ['CPU Quota', 'cpuQuotaUs', 'NanoCPUs', 'nanoCpus'],
  ] as const;
  for (const [name, field, otherName, otherField] of limits) {
    if ((changes[field] ?? 0) <= 0 || hostConfig[otherField] <= 0) continue;
    throw new EngineError(
      'conflict',
      `Cannot update container ${id}: Conflicting options: ${name} cannot be updated as ${otherName} has already been set`,
    );
  }
}

export function changesLimits(changes: Partial<Resources & HostConfig>): boolean {
  return Object.keys(changes).some(key => key !== 'restartPolicy' && key !== 'healthOnFailure');
}
