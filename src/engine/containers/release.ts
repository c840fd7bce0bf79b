import { within } from '../../stdx/errors.ts';
import { unmountSharedMemory } from '../../storage/shared-memory.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerRecord } from './container.ts';
import { containerFiles } from './directory.ts';
import { unmountImages } from './image-mounts.ts';
import { namespacesOfSharers } from './network.ts';

/**
 * Gives back what a run holds: ports, addresses, the runtime's state, mounts. Every step may find its part gone
 * already; one that fails is logged and the others go on, as the next start of the daemon tries again.
 * @returns publishes what was given back, which Docker tells after the container's end
 */
export async function releaseContainer(context: EngineContext, record: ContainerRecord): Promise<() => void> {
  const released: (() => void)[] = [];
  await attempt(context, record, 'releasing its network', () => releaseNetwork(context, record, released));
  await attempt(context, record, 'deleting its runtime state', () => context.runtime.delete(record.id));
  await attempt(context, record, 'unmounting its root', () => context.storage.snapshots.unmount(record.id));
  await attempt(context, record, 'unmounting images', () => unmountImages(context, record));
  if (record.hostConfig.ipcMode === 'shareable') {
    await attempt(context, record, 'unmounting its shared memory', () =>
      unmountSharedMemory(containerFiles(context, record.id).sharedMemory),
    );
  }
  await attempt(context, record, 'unmounting its volumes', () => releaseVolumes(context, record, released));
  return () => {
    for (const publish of released) publish();
  };
}

function releaseNetwork(context: EngineContext, record: ContainerRecord, released: (() => void)[]): void {
  for (const endpoint of context.network.endpointsOfContainer(record.id)) {
    released.push(() =>
      context.events.publish('network', 'disconnect', endpoint.networkId, {
        container: record.id,
        name: endpoint.networkName,
        type: endpoint.driver,
      }),
    );
  }
  const running = context.containers.list().map(({ hostConfig, state }) => ({ hostConfig, pid: state.pid }));
  context.network.release(record.id, namespacesOfSharers(record.id, running));
}

async function releaseVolumes(
  context: EngineContext,
  record: ContainerRecord,
  released: (() => void)[],
): Promise<void> {
  for (const mount of record.mounts) {
    if (mount.type !== 'volume') continue;
    await context.storage.volumes.unmount(mount.name, record.id);
    released.push(() =>
      context.events.publish('volume', 'unmount', mount.name, { container: record.id, driver: mount.driver }),
    );
  }
}

async function attempt(
  context: EngineContext,
  record: ContainerRecord,
  doing: string,
  work: () => Promise<void> | void,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.log.error(
      { container: record.id, err: within(doing, error) },
      'a part of a stopped container remains',
    );
  }
}
