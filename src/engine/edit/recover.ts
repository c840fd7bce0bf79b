import { isUp } from '../containers/stop.ts';
import type { EngineContext } from '../context.ts';
import type { EditEntry } from './edits.ts';
import { bringBack, placesOf } from './live.ts';
import { comeBack, removeNewVolumes } from './replace.ts';

/**
 * Undoes the edits that a killed daemon left, after running containers were adopted: the entry says how the container
 * was, and whether it ran.
 */
export async function recoverEdits(context: EngineContext): Promise<void> {
  for (const entry of context.edits.entries()) {
    context.log.info({ container: entry.containerId, way: entry.way }, 'undoing an edit that was cut off');
    context.network.pinAddresses(placesOf(entry));
    try {
      await recover(context, entry);
    } catch (error) {
      context.log.error({ container: entry.containerId, err: error }, 'an edit could not be undone');
    } finally {
      context.network.unpinAddresses(entry.containerId);
    }
  }
}

async function recover(context: EngineContext, entry: EditEntry): Promise<void> {
  const record = context.containers.find(entry.containerId);
  if (record === undefined) {
    context.edits.end(entry.containerId);
    await removeNewVolumes(context, entry);
    return;
  }
  // The old process, which nobody has asked to end yet: one that was asked will do so, now or later.
  const isOld = record.state.startedAtMs === entry.startedAtMs;
  const runsOn = isUp(record) && isOld && !record.manuallyStopped;
  if (entry.way === 'restart' && !runsOn) {
    await comeBack(context, record, entry, { start: true });
    return;
  }
  if (entry.way === 'live' && isUp(record) && record.state.pid !== 0) await bringBack(context, record, entry);
  context.edits.end(record.id, () => {
    Object.assign(record, entry.before);
    context.containers.save(record);
  });
  await removeNewVolumes(context, entry);
}
