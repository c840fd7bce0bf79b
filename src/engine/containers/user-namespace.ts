import { hostIdOf, type IdMappings } from '../../oci/id-mappings.ts';
import { idMappingsOf } from '../../runtime/id-mappings.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import type { HostConfig } from './config.ts';
import type { ContainerRecord } from './container.ts';

/**
 * crun 1.8 gives a container's streams to its root, and with a user namespace that is an owner the kernel keeps: the
 * host's own /dev/null, which a container without input has, would be the container's to chmod. runc leaves it alone.
 */
export const runtimeForUserNamespaces = 'runc';

/** @param asked in the daemon's configuration @returns undefined: the first that works */
export function defaultRuntimeName(asked: string | undefined, remapped: boolean): string | undefined {
  return asked ?? (remapped ? runtimeForUserNamespaces : undefined);
}

/** The ids a container will run with: those of the daemon's userns-remap, unless it asks for the host's. */
export function mappingsFor(
  context: Pick<EngineContext, 'storage'>,
  { usernsMode }: Pick<HostConfig, 'usernsMode'>,
): IdMappings | undefined {
  return usernsMode === 'host' ? undefined : context.storage.mapped?.mappings;
}

/** The ids its root is seen with now: a running container may have been started by a daemon with other settings. */
export function presentMappings(context: EngineContext, record: ContainerRecord): IdMappings | undefined {
  const { pid } = record.state;
  return pid === 0 ? mappingsFor(context, record.hostConfig) : idMappingsOf(pid);
}

/** @throws invalid, in Docker's words: what belongs to the host alone cannot be had from another user namespace. */
export function requireCompatible(hostConfig: HostConfig, mappings: IdMappings | undefined): void {
  if (mappings === undefined) return;
  const refuse = (why: string) => new EngineError('invalid', why);
  if (hostConfig.runtime === 'crun') {
    throw refuse(
      `runtime "crun" is not used when user namespaces are enabled: use "${runtimeForUserNamespaces}"`,
    );
  }
  if (hostConfig.privileged) {
    throw refuse(
      'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
    );
  }
  if (hostConfig.networkMode === 'host') {
    throw refuse("cannot share the host's network namespace when user namespaces are enabled");
  }
  if (hostConfig.pidMode === 'host') {
    throw refuse('cannot share the host PID namespace when user namespaces are enabled');
  }
}

/** The host's ids of the container's root. */
export function rootOwner(mappings: IdMappings | undefined): { uid: number; gid: number } {
  if (mappings === undefined) return { uid: 0, gid: 0 };
  return { uid: hostIdOf(0, mappings.uid) ?? 0, gid: hostIdOf(0, mappings.gid) ?? 0 };
}
