import { chmodSync, chownSync } from 'node:fs';
import type { IdMappings } from '../../oci/id-mappings.ts';
import { within } from '../../stdx/errors.ts';
import { rootDirectoryExists } from '../../storage/root-files.ts';
import type { EngineContext } from '../context.ts';
import type { ResolvedMount } from './container.ts';

/** A mounted root, and the user namespace that its owners are seen in. */
export interface SeenRoot {
  rootfs: string;
  mappings: IdMappings | undefined;
}

/**
 * A volume that is empty begins with what the image has at its place, owner and mode of the directory included. Once,
 * as in Docker: one that is empty at a later start has the owner and mode it was given meanwhile.
 */
export async function fillVolume(
  context: EngineContext,
  seen: SeenRoot,
  mount: ResolvedMount,
): Promise<void> {
  if (rootDirectoryExists(seen.rootfs, mount.target))
    await context.storage.volumes.fill(mount.name, directory => copyUp(context, seen, mount, directory));
  mount.copyUp = false;
}

async function copyUp(
  context: EngineContext,
  seen: SeenRoot,
  { target, name }: ResolvedMount,
  directory: string,
): Promise<void> {
  const [from, to] = await Promise.all([
    context.storage.confine(seen.rootfs, seen.mappings),
    context.storage.confine(directory),
  ]);
  try {
    await to.copyTree({ from, source: target, destination: '/' });
    const stat = await from.stat(target, { follow: true });
    if (stat === undefined) return;
    chmodSync(directory, stat.permissions);
    chownSync(directory, stat.uid, stat.gid);
  } catch (error) {
    throw within(`copying the image's ${target} into volume ${name}`, error);
  } finally {
    await Promise.all([from.close(), to.close()]);
  }
}
