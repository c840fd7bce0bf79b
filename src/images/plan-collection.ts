import type { Digest } from '../oci/digest.ts';

export interface CollectionPolicy {
  /** What images that no container uses may take together, in bytes. */
  keepBytes: number;
  /** One that was used, named or pulled since is kept all the same. */
  unusedForMs: number;
}

export interface CollectableImage {
  id: Digest;
  /** Its layers, with the bytes each takes on the disk. */
  layers: readonly { chainId: Digest; bytes: number }[];
  lastUsedMs: number;
  /** A container is made of it. */
  inUse: boolean;
}

/**
 * Which images go, so that those no container uses fit into their budget: the least recently used first. A layer
 * that several images share is counted once, and goes with the last of them; what an image in use needs is not counted.
 */
export function planCollection(
  images: readonly CollectableImage[],
  policy: CollectionPolicy,
  nowMs: number,
): Digest[] {
  const needed = new Set(images.filter(image => image.inUse).flatMap(layersOf));
  const unused = images.filter(image => !image.inUse).sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  const users = new Map<Digest, number>();
  let bytes = 0;
  for (const layer of unused.flatMap(({ layers }) => layers)) {
    if (needed.has(layer.chainId)) continue;
    const count = users.get(layer.chainId) ?? 0;
    if (count === 0) bytes += layer.bytes;
    users.set(layer.chainId, count + 1);
  }
  const gone: Digest[] = [];
  for (const image of unused) {
    if (bytes <= policy.keepBytes || image.lastUsedMs > nowMs - policy.unusedForMs) break;
    gone.push(image.id);
    for (const layer of image.layers) {
      const count = users.get(layer.chainId);
      if (count === undefined) continue;
      users.set(layer.chainId, count - 1);
      if (count === 1) bytes -= layer.bytes;
    }
  }
  return gone;
}

/** What images that no container uses take, each layer once, without those that one in use needs. */
export function unusedBytes(images: readonly CollectableImage[]): number {
  const seen = new Set(images.filter(image => image.inUse).flatMap(layersOf));
  let bytes = 0;
  for (const layer of images.filter(image => !image.inUse).flatMap(({ layers }) => layers)) {
    if (seen.has(layer.chainId)) continue;
    seen.add(layer.chainId);
    bytes += layer.bytes;
  }
  return bytes;
}

function layersOf({ layers }: CollectableImage): Digest[] {
  return layers.map(({ chainId }) => chainId);
}
