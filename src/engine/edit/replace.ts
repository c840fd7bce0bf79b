import { EngineError, messageOf, within } from '../../stdx/errors.ts';
import { publishContainerEvent } from '../containers/attributes.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { parseStopSignal } from '../containers/signals.ts';
import { startLocked } from '../containers/start.ts';
import { isUp, terminate } from '../containers/stop.ts';
import type { EngineContext } from '../context.ts';
import type { EditEntry, EditedFields } from './edits.ts';
import { placesOf } from './live.ts';
import type { EditOptions } from './request.ts';

/** An edit that was begun: its entry is written, its volumes are made. */
export interface Replacing {
  after: EditedFields;
  entry: EditEntry;
}

/**
 * Gives a container a new process with its new configuration; the caller does not hold its lock. The old process ends
 * first, as both would be at the same root, ports and addresses. A new one that does not start, or does not become
 * healthy, gives way to the old configuration again.
 */
export async function replaceProcess(
  context: EngineContext,
  record: ContainerRecord,
  { after, entry }: Replacing,
  { waitHealthy }: Pick<EditOptions, 'waitHealthy'>,
): Promise<void> {
  context.network.pinAddresses(placesOf(entry));
  try {
    await end(context, record);
    await context.locks.run(record.id, async () => {
      requireStillThere(context, record);
      Object.assign(record, after);
      context.containers.save(record);
      await startLocked(context, record);
    });
    if (waitHealthy) await untilHealthy(context, record);
    context.edits.end(record.id);
    publishContainerEvent(context, record, 'update');
  } catch (error) {
    // Somebody else stopped the new one: he will not want to see the old one run.
    const { status, startedAtMs } = record.state;
    const stopped = status === 'exited' && record.manuallyStopped && startedAtMs !== entry.startedAtMs;
    const outcome = await comeBack(context, record, entry, { start: !stopped });
    throw within(`container ${record.name} could not be edited, ${outcome}`, error);
  } finally {
    context.network.unpinAddresses(record.id);
  }
}

/**
 * Puts a container back as it was before its process was replaced, and lets it run again.
 * @returns what became of it, for people
 */
export async function comeBack(
  context: EngineContext,
  record: ContainerRecord,
  entry: EditEntry,
  { start }: { start: boolean },
): Promise<string> {
  if (isUp(record)) await end(context, record);
  return context.locks.run(record.id, async () => {
    if (context.containers.find(record.id) === undefined) {
      context.edits.end(record.id);
      return 'as it was removed meanwhile';
    }
    Object.assign(record, entry.before);
    context.containers.save(record);
    await removeNewVolumes(context, entry);
    try {
      if (!start) return 'and is stopped, as it was before otherwise';
      await startLocked(context, record);
      return 'and runs as it did before';
    } catch (error) {
      return `and is as it was before, but does not run (${messageOf(error)})`;
    } finally {
      context.edits.end(record.id);
    }
  });
}

/** Those an edit made that is undone; nothing is in them but what the image had there. */
export async function removeNewVolumes(
  context: EngineContext,
  { containerId, newVolumes }: EditEntry,
): Promise<void> {
  const { volumes } = context.storage;
  volumes.unclaim(containerId);
  for (const name of newVolumes) {
    try {
      await volumes.remove(name, { force: true, usedBy: one => context.containers.usersOfVolume(one) });
    } catch (error) {
      context.log.error({ volume: name, err: error }, 'removing a volume of an undone edit failed');
    }
  }
}

function end(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { stopSignal, stopTimeoutS } = record.config;
  return terminate(context, record, parseStopSignal(stopSignal ?? 'SIGTERM'), stopTimeoutS ?? 10);
}

function requireStillThere(context: EngineContext, record: ContainerRecord): void {
  if (context.containers.find(record.id) !== undefined && !isUp(record)) return;
  throw new EngineError('conflict', `Container ${record.id} was changed by somebody else meanwhile`);
}

/** @throws conflict when it ends, or is unhealthy, before it was healthy */
function untilHealthy(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const look = () => {
    const { status, exitCode, health } = record.state;
    if (!isUp(record)) {
      reject(
        new EngineError('conflict', `the new one ended with exit code ${exitCode} before it was healthy`),
      );
    } else if (health?.status === 'healthy' && status !== 'restarting') resolve();
    else if (health?.status === 'unhealthy') {
      const said = health.log.at(-1)?.output.trim() ?? '';
      reject(new EngineError('conflict', `the new one is unhealthy${said === '' ? '' : `: ${said}`}`));
    }
  };
  const unsubscribe = context.events.watch(event => {
    if (event.actor.id === record.id) look();
  });
  look();
  return promise.finally(unsubscribe);
}
