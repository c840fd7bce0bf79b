import { actWithFileIds } from '../../linux/file-ids.ts';
import { containerIdOf, hostIdOf, type IdMappings } from '../../oci/id-mappings.ts';
import { invalidEntry } from './errors.ts';

export interface Owner {
  uid: number;
  gid: number;
}

/**
 * Owners in a tree that a user namespace looks at. This thread stays in the host's namespace (a thread cannot change
 * it), so ids are translated here, on their way to and from the kernel.
 */
let current: IdMappings | undefined;
let goBack: (() => void) | undefined;

/**
 * From now on this thread makes files as the root of the namespace does, with all of its capabilities: an id-mapped
 * file system could not even write down the host's root as an owner (EOVERFLOW). undefined: as the host's root.
 */
export function actAsRootOf(mappings: IdMappings | undefined): void {
  goBack?.();
  goBack = mappings === undefined ? undefined : actWithFileIds(hostOwner({ uid: 0, gid: 0 }, mappings));
  current = mappings;
}

/** What chown(2) has to be given. @throws EngineError `invalid` for an id that the namespace does not have. */
export function toKernel(owner: Owner): Owner {
  return current === undefined ? owner : hostOwner(owner, current);
}

/** What a stat(2) has said, as a process in the namespace would see it. */
export function fromKernel(stat: { uid: bigint; gid: bigint }): Owner {
  const [uid, gid] = [Number(stat.uid), Number(stat.gid)];
  if (current === undefined) return { uid, gid };
  return { uid: containerIdOf(uid, current.uid), gid: containerIdOf(gid, current.gid) };
}

function hostOwner(owner: Owner, mappings: IdMappings): Owner {
  const [uid, gid] = [hostIdOf(owner.uid, mappings.uid), hostIdOf(owner.gid, mappings.gid)];
  if (uid !== undefined && gid !== undefined) return { uid, gid };
  throw invalidEntry(`owner ${owner.uid}:${owner.gid} has no place in the user namespace`);
}
