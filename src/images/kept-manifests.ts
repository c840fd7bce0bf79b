import type { Digest } from '../oci/digest.ts';
import { kindOf } from '../stdx/errors.ts';
import type { BlobStore } from '../storage/blobs.ts';
import { parseManifest } from './manifest.ts';
import type { ImageServices } from './services.ts';
import type { ManifestRow } from './tables.ts';

/** The bytes of a manifest an image came with; undefined when they are lost or damaged: they can be had again. */
export async function readKept(
  blobs: BlobStore,
  row: Pick<ManifestRow, 'digest'>,
): Promise<Buffer | undefined> {
  if (!blobs.has(row.digest)) return undefined;
  try {
    return await blobs.read(row.digest);
  } catch (error) {
    if (kindOf(error) === 'corrupt' || kindOf(error) === 'notFound') return undefined;
    throw error;
  }
}

/** The manifest an image came with, or went out with before, when it speaks of just these layers. */
export async function keptManifest(
  { images, storage }: Pick<ImageServices, 'images' | 'storage'>,
  id: Digest,
  layers: readonly { digest: Digest }[],
): Promise<{ mediaType: string; bytes: Buffer } | undefined> {
  for (const row of images.manifestsOf(id)) {
    const bytes = row.kind === 'manifest' ? await readKept(storage.blobs, row) : undefined;
    if (bytes === undefined) continue;
    const parsed = parseManifest(bytes, row.mediaType);
    if (parsed.kind !== 'manifest' || parsed.manifest.layers.length !== layers.length) continue;
    const same = parsed.manifest.layers.every((layer, at) => layer.digest === layers[at]!.digest);
    if (same) return { mediaType: row.mediaType, bytes };
  }
  return undefined;
}
