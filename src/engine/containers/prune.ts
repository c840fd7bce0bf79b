import type { EngineContext } from '../context.ts';
import { unlessMeanwhile } from '../meanwhile.ts';
import type { ContainerRecord } from './container.ts';
import { containerSize } from './inspect.ts';
import { removeContainer } from './remove.ts';
import { isUp } from './stop.ts';

/**
 * Removes every container that does not run and that the caller's filter lets through. One with a schedule stays: it
 * waits for its next run.
 */
export async function pruneContainers(
  context: EngineContext,
  matches: (container: ContainerRecord) => boolean,
): Promise<{ deleted: string[]; reclaimedBytes: number }> {
  const deleted: string[] = [];
  let reclaimedBytes = 0;
  for (const record of context.containers.list()) {
    if (isUp(record) || record.state.status === 'removing' || !matches(record)) continue;
    if (record.hostConfig.schedule !== undefined) continue;
    const bytes = await unlessMeanwhile(async () => {
      const { rwBytes } = await containerSize(context, record);
      await removeContainer(context, record.id, {});
      return rwBytes;
    });
    if (bytes === undefined) continue;
    deleted.push(record.id);
    reclaimedBytes += bytes;
  }
  context.events.publish('container', 'prune', '', { reclaimed: String(reclaimedBytes) });
  return { deleted, reclaimedBytes };
}
