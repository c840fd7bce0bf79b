import type { Undo } from '../../stdx/undo.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerRecord, ResolvedMount } from './container.ts';
import { newId } from './names.ts';

/*
 * `--mount type=image`: the files of an image, read-only. As in Docker they stay what they were when the container was
 * made, whatever becomes of the image: a snapshot of the container's own holds the layers (`<container id>.<random>`).
 */

/** @throws EngineError `notFound` when there is no such image: Docker's client takes it for the container's own */
export async function holdImage(
  context: EngineContext,
  containerId: string,
  mount: ResolvedMount,
  undo: Undo,
): Promise<ResolvedMount> {
  const { snapshots } = context.storage;
  const id = mount.image?.id ?? context.images.resolve(mount.name).id;
  // What --volumes-from brings may be of an image that is gone: its layers are held by the other container.
  const parent = mount.image ? snapshots.get(mount.image.snapshot)?.parent : context.images.get(id)?.chainId;
  const snapshot = `${containerId}.${newId().slice(0, 12)}`;
  undo.push(`image ${mount.name}`, () => snapshots.remove(snapshot));
  await snapshots.create(snapshot, parent, { mountPoints: false });
  return { ...mount, image: { id, snapshot }, source: snapshots.pathOf(snapshot) };
}

export function mountImage(
  context: EngineContext,
  mount: ResolvedMount,
  options: { mapped: boolean },
): string | undefined {
  if (mount.image === undefined) return undefined;
  return context.storage.snapshots.mount(mount.image.snapshot, { readOnly: true, mapped: options.mapped });
}

export function unmountImages(context: EngineContext, record: ContainerRecord): void {
  for (const { image } of record.mounts) if (image) context.storage.snapshots.unmount(image.snapshot);
}

/** Also those that an edit has left behind. */
export async function releaseImages(context: EngineContext, record: ContainerRecord): Promise<void> {
  const { snapshots } = context.storage;
  for (const { id } of snapshots.list()) if (id.startsWith(`${record.id}.`)) await snapshots.remove(id);
}
