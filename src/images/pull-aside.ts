import { parseReference } from '../distribution/reference.ts';
import type { Image, ImageStore } from './store.ts';

/**
 * Pulls what a name has for another platform than the image that it leads to here, and leaves the name where it was: an
 * image that is only built on is not what its users want to run.
 *
 * @param hold keeps the layers for the caller: no image of the store does, unless it was there before
 */
export async function pullAside(
  images: ImageStore,
  text: string,
  pull: () => Promise<void>,
  hold: (image: Image) => void,
): Promise<Image> {
  const before = images.find(text);
  const known = new Set(images.list().map(({ id }) => id));
  await pull();
  const pulled = images.resolve(text);
  hold(pulled);
  if (before === undefined || before.id === pulled.id) return pulled;
  for (const name of before.references.filter(one => pulled.references.includes(one)))
    images.tag(before.id, name);
  for (const name of before.digests.filter(one => pulled.digests.includes(one))) {
    const reference = parseReference(name);
    images.addDigest(before.id, reference, reference.digest!);
  }
  if (known.has(pulled.id)) return pulled;
  for (const name of images.get(pulled.id)?.digests ?? [])
    await images.remove(name, { force: false, noPrune: true, inUse: () => [] });
  if (images.get(pulled.id) !== undefined)
    await images.remove(pulled.id, { force: false, noPrune: true, inUse: () => [] });
  return pulled;
}
