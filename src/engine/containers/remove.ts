import { SIGKILL } from '../../runtime/signals.ts';
import { EngineError, within } from '../../stdx/errors.ts';
import { removeTree } from '../../storage/remove-tree.ts';
import type { EngineContext } from '../context.ts';
import { unlessMeanwhile } from '../meanwhile.ts';
import { publishContainerEvent } from './attributes.ts';
import type { ContainerRecord } from './container.ts';
import { containerDirectory } from './directory.ts';
import { releaseImages } from './image-mounts.ts';
import { forgetLog } from './log-follow.ts';
import { isUp, terminate } from './stop.ts';

export interface RemoveOptions {
  force?: boolean;
  /** Anonymous volumes go too. */
  volumes?: boolean;
}

/** @throws notFound; conflict when it runs and `force` is not set, or another request removes it already */
export async function removeContainer(
  context: EngineContext,
  ref: string,
  options: RemoveOptions,
): Promise<void> {
  const record = context.containers.get(ref);
  if (record.state.status === 'removing') {
    throw new EngineError('conflict', `removal of container ${ref} is already in progress`);
  }
  for (let removed = false; !removed; ) {
    if (isUp(record)) {
      if (!options.force) throw refusal(record);
      await terminate(context, record, SIGKILL, 0);
    }
    removed = await context.locks.run(record.id, async () => {
      // With --rm the exit itself has removed it by now.
      if (context.containers.find(record.id) === undefined) return true;
      // A start was faster than we.
      if (isUp(record)) return false;
      await removeStopped(context, record, { volumes: options.volumes ?? false });
      return true;
    });
  }
}

function refusal(record: ContainerRecord): EngineError {
  const { status } = record.state;
  if (status === 'paused') {
    return new EngineError(
      'conflict',
      `You cannot remove a paused container ${record.id}. Unpause and then stop the container before attempting removal or force remove`,
    );
  }
  return new EngineError(
    'conflict',
    `You cannot remove a ${status} container ${record.id}. Stop the container before attempting removal or force remove`,
  );
}

/**
 * Removes a container that does not run; the caller holds its lock. The row is marked first and goes last: a removal
 * that was cut off is finished by the next start of the daemon.
 */
export async function removeStopped(
  context: EngineContext,
  record: ContainerRecord,
  options: { volumes: boolean },
): Promise<void> {
  const { id } = record;
  record.state.status = 'removing';
  context.containers.save(record);
  context.restarts.forget(id);
  context.execs.forgetContainer(id);
  try {
    await context.storage.snapshots.remove(id);
    await releaseImages(context, record);
    await forgetLog(context, record);
    await removeTree(containerDirectory(context, id), context.storage.workers);
    if (options.volumes) await removeAnonymousVolumes(context, record);
  } catch (error) {
    record.state.status = 'dead';
    record.state.error = within('removing the container', error).message;
    context.containers.save(record);
    throw within(`removing container ${id}`, error);
  }
  context.containers.delete(record);
  await context.storage.layers.removeUnreferenced();
  publishContainerEvent(context, record, 'destroy');
  context.waits.removed(record);
}

async function removeAnonymousVolumes(context: EngineContext, record: ContainerRecord): Promise<void> {
  for (const mount of record.mounts) {
    if (mount.type !== 'volume' || !mount.anonymous) continue;
    const usedBy = (name: string) =>
      context.containers.usersOfVolume(name).filter(other => other !== record.id);
    const removed = await unlessMeanwhile(async () => {
      await context.storage.volumes.remove(mount.name, { force: true, usedBy });
      return true;
    });
    if (removed === undefined) continue;
    context.events.publish('volume', 'destroy', mount.name, { driver: mount.driver });
  }
}
