import type { HistoryEntry, ImageConfig } from '../oci/image.ts';

/**
 * Whether an image was built on another one: all of the other's layers and of its history are the first of its own.
 * It is said by the images alone, so it also holds for images that were both pulled.
 */
export function isBuiltOn(image: ImageConfig, base: ImageConfig): boolean {
  const layers = base.rootfs.diff_ids;
  const steps = base.history ?? [];
  if (layers.length === 0 && steps.length === 0) return false;
  return (
    layers.every((id, index) => image.rootfs.diff_ids[index] === id) &&
    steps.every((step, index) => isSameStep(step, image.history?.[index]))
  );
}

function isSameStep(step: HistoryEntry, other: HistoryEntry | undefined): boolean {
  return other?.created === step.created && other?.created_by === step.created_by;
}
