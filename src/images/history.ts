import { chainIdOf, type Digest } from '../oci/digest.ts';
import { EngineError } from '../stdx/errors.ts';
import type { LayerStore } from '../storage/layers.ts';
import type { Image } from './store.ts';

/** One line of `docker history`. */
export interface HistoryItem {
  /** `<missing>` for steps whose image is not on this machine. */
  id: Digest | '<missing>';
  createdMs: number;
  createdBy: string;
  comment: string;
  sizeBytes: number;
  /** null: none, as Docker's JSON has it. */
  tags: string[] | null;
}

/** moby's ImageHistory (daemon/images/image_history.go): newest first, ids as far as the chain of parents goes. */
export function planHistory(
  images: { get(id: Digest): Image | undefined },
  layers: Pick<LayerStore, 'get'>,
  image: Image,
): HistoryItem[] {
  const items = itemsOf(image, layers);
  let step: Image | undefined = image;
  for (const item of items) {
    if (step === undefined) break;
    item.id = step.id;
    item.tags = step.references.length === 0 ? null : [...step.references];
    step = step.parent === undefined ? undefined : images.get(step.parent);
  }
  return items;
}

function itemsOf(image: Image, layers: Pick<LayerStore, 'get'>): HistoryItem[] {
  const diffIds = image.config.rootfs.diff_ids;
  let chainId: Digest | undefined;
  let used = 0;
  const items: HistoryItem[] = [];
  for (const entry of image.config.history ?? []) {
    let sizeBytes = 0;
    if (entry.empty_layer !== true) {
      const diffId = diffIds[used++];
      if (diffId === undefined) {
        throw new EngineError('internal', 'too many non-empty layers in History section');
      }
      chainId = chainIdOf(chainId, diffId);
      sizeBytes = layers.get(chainId)?.sizeBytes ?? 0;
    }
    items.unshift({
      id: '<missing>',
      createdMs: Date.parse(entry.created ?? '') || 0,
      createdBy: entry.created_by ?? '',
      comment: entry.comment ?? '',
      sizeBytes,
      tags: null,
    });
  }
  return items;
}
