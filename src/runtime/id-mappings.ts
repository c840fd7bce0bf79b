import { chownSync, statSync } from 'node:fs';
import { readIdMaps } from '../linux/user-namespace.ts';
import { hostIdOf, type IdMappings, parseIdMap } from '../oci/id-mappings.ts';
import { errnoOf } from '../stdx/errors.ts';
import { listDirectory } from './container-state.ts';

/** The ids of the user namespace that a process lives in; undefined when that is the host's, or it is gone. */
export function idMappingsOf(pid: number): IdMappings | undefined {
  const maps = readIdMaps(pid);
  if (maps === undefined) return undefined;
  const [uid, gid] = [parseIdMap(maps.uidMap), parseIdMap(maps.gidMap)];
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

/** A process's user as the host has it; undefined for ids that the namespace does not have. */
export function hostOwnerOf(
  { uid, gid }: { uid: number; gid: number },
  mappings: IdMappings,
): { uid: number; gid: number } | undefined {
  const [hostUid, hostGid] = [hostIdOf(uid, mappings.uid), hostIdOf(gid, mappings.gid)];
  return hostUid === undefined || hostGid === undefined ? undefined : { uid: hostUid, gid: hostGid };
}

/**
 * The pipes a monitor has made for a program's streams are the host root's, and a program that opens /dev/stderr
 * needs to own them; in a user namespace runc cannot give them away. Only pipes: /dev/null is everybody's.
 * @param pid a process that has them open and runs none of the container's code: the monitor, or the container's
 *   first process before its program.
 */
export function givePipes(pid: number, { uid, gid }: { uid: number; gid: number }): void {
  for (const fd of listDirectory(`/proc/${pid}/fd`)) {
    const path = `/proc/${pid}/fd/${fd}`;
    try {
      if (statSync(path).isFIFO()) chownSync(path, uid, gid);
    } catch (error) {
      // It was killed while it waited.
      if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ESRCH') throw error;
    }
  }
}
