import { chainIdOf, type Digest } from '../oci/digest.ts';
import type { Descriptor, Manifest, Platform } from '../oci/image.ts';
import { readKept } from './kept-manifests.ts';
import { parseManifest } from './manifest.ts';
import { matchesPlatform } from './platform.ts';
import type { ImageServices } from './services.ts';
import { type Image, parseImageConfig } from './store.ts';

export interface OtherPlatformOptions {
  platform: Platform;
  /** Keeps a layer for the caller. */
  holdLayer(chainId: Digest): void;
  signal: AbortSignal;
}

/**
 * What the index that an image is kept with has for another platform, unpacked for the caller: no image of the store,
 * which knows one for each name. undefined: it is not here.
 */
export async function otherPlatform(
  { images, storage }: Pick<ImageServices, 'images' | 'storage'>,
  image: Image,
  { platform, holdLayer, signal }: OtherPlatformOptions,
): Promise<Image | undefined> {
  const { blobs, layers } = storage;
  const found = await manifestFor({ images, storage }, image, platform);
  if (found === undefined || ![found.config, ...found.layers].every(({ digest }) => blobs.has(digest)))
    return undefined;
  const config = parseImageConfig(await blobs.read(found.config.digest));
  let parent: Digest | undefined;
  let sizeBytes = 0;
  for (const [index, diffId] of config.rootfs.diff_ids.entries()) {
    const { digest, mediaType } = found.layers[index]!;
    const chainId = chainIdOf(parent, diffId);
    const layer =
      layers.get(chainId) ??
      (await layers.apply({ parent, diffId, source: { blob: digest, mediaType }, signal }));
    holdLayer(chainId);
    sizeBytes += layer.sizeBytes;
    parent = chainId;
  }
  return {
    id: found.config.digest,
    config,
    references: [],
    // What its name leads to in a registry is the same index.
    digests: image.digests,
    ...(parent === undefined ? {} : { chainId: parent }),
    sizeBytes,
    createdMs: Date.parse(config.created ?? '') || 0,
    lastTaggedMs: image.lastTaggedMs,
    lastUsedMs: image.lastUsedMs,
  };
}

async function manifestFor(
  { images, storage }: Pick<ImageServices, 'images' | 'storage'>,
  image: Image,
  wanted: Platform,
): Promise<Manifest | undefined> {
  const rows = images.manifestsOf(image.id);
  const here = new Set(rows.filter(({ kind }) => kind === 'other').map(({ digest }) => digest));
  if (here.size === 0) return undefined;
  for (const row of rows.filter(({ kind }) => kind === 'index')) {
    const bytes = await readKept(storage.blobs, row);
    const index = bytes === undefined ? undefined : parseManifest(bytes, row.mediaType);
    if (index?.kind !== 'index') continue;
    const isMeant = ({ digest, platform }: Descriptor) =>
      here.has(digest) && platform !== undefined && matchesPlatform(platform, wanted);
    for (const entry of index.index.manifests.filter(isMeant)) {
      const kept = await readKept(storage.blobs, entry);
      const manifest = kept === undefined ? undefined : parseManifest(kept, entry.mediaType);
      if (manifest?.kind === 'manifest') return manifest.manifest;
    }
  }
  return undefined;
}
