import { chainIdOf, type Digest } from '../oci/digest.ts';
import type { Descriptor, Manifest, Platform } from '../oci/image.ts';
import { type KeptManifest, readKept } from './kept-manifests.ts';
import { parseManifest } from './manifest.ts';
import { needPlatform, platformOf } from './need-platform.ts';
import { matchesPlatform, parsePlatform } from './platform.ts';
import type { ImageServices } from './services.ts';
import { type Image, parseImageConfig } from './store.ts';

/** As otherThanOwn finds it, to be looked at: the image itself, or another platform's as its registry has it. */
export async function imageForPlatform(
  services: Pick<ImageServices, 'images' | 'storage'>,
  image: Image,
  wanted: string | undefined,
  shown: string,
): Promise<Image> {
  const other = await otherThanOwn(services, image, wanted, shown);
  if (other === undefined) return image;
  const { config, layers } = other.manifest;
  const { chainId: _, parent: __, ...common } = image;
  const parsed = parseImageConfig(await services.storage.blobs.read(config.digest));
  return {
    ...common,
    id: config.digest,
    config: parsed,
    sizeBytes: layers.reduce((sum, { size }) => sum + size, 0),
    createdMs: Date.parse(parsed.created ?? '') || 0,
  };
}

export interface OtherPlatformOptions {
  platform: Platform;
  /** Keeps a layer for the caller. */
  holdLayer(chainId: Digest): void;
  signal: AbortSignal;
}

/**
 * @param wanted `linux/arm64`; undefined: any.
 * @param shown the image's name, for people
 * @returns what the image's index has for the platform, when that is not the image's own
 * @throws EngineError `notFound` in dockerd's words
 */
export async function otherThanOwn(
  services: Pick<ImageServices, 'images' | 'storage'>,
  image: Image,
  wanted: string | undefined,
  shown: string,
): Promise<OtherManifest | undefined> {
  if (wanted === undefined) return undefined;
  const platform = parsePlatform(wanted);
  if (matchesPlatform(platformOf(image), platform)) return undefined;
  const other = await otherManifest(services, image, platform);
  if (other === undefined) needPlatform(image, wanted, shown);
  return other;
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
  const kept = await otherManifest({ images, storage }, image, platform);
  if (kept === undefined) return undefined;
  const found = kept.manifest;
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

/** A manifest of an image's index that is for another platform than the image, with all that it names. */
export interface OtherManifest extends KeptManifest {
  manifest: Manifest;
}

/** What the index that an image is kept with has for another platform; undefined: not all of it is here. */
export async function otherManifest(
  { images, storage }: Pick<ImageServices, 'images' | 'storage'>,
  image: Image,
  wanted: Platform,
): Promise<OtherManifest | undefined> {
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
      const { digest, mediaType } = entry;
      const kept = await readKept(storage.blobs, entry);
      const parsed = kept === undefined ? undefined : parseManifest(kept, mediaType);
      if (kept === undefined || parsed?.kind !== 'manifest') continue;
      const { manifest } = parsed;
      const blobs = [manifest.config, ...manifest.layers];
      if (blobs.every(blob => storage.blobs.has(blob.digest)))
        return { digest, mediaType, bytes: kept, manifest };
    }
  }
  return undefined;
}
