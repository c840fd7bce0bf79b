import { type Digest, digestOf } from '../oci/digest.ts';
import type { Descriptor, Index } from '../oci/image.ts';
import { kindOf } from '../stdx/errors.ts';
import type { BlobStore } from '../storage/blobs.ts';
import { parseManifest } from './manifest.ts';
import type { ImageServices } from './services.ts';
import type { Image } from './store.ts';
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

export interface KeptManifest {
  mediaType: string;
  digest: Digest;
  bytes: Buffer;
}

/** The index an image was found in. */
export interface KeptIndex extends KeptManifest {
  index: Index;
  /** What it lists and is here, apart from the image's own manifest, with the blobs each needs. */
  others: { manifest: KeptManifest; blobs: Descriptor[] }[];
  /** What it lists and is not here: other platforms, mostly. */
  missing: Descriptor[];
}

/** The manifest an image came with, or went out with before, when it speaks of just these layers. */
export async function keptManifest(
  { images, storage }: Pick<ImageServices, 'images' | 'storage'>,
  id: Digest,
  layers: readonly { digest: Digest }[],
): Promise<KeptManifest | undefined> {
  for (const row of images.manifestsOf(id)) {
    const bytes = row.kind === 'manifest' ? await readKept(storage.blobs, row) : undefined;
    if (bytes === undefined) continue;
    const parsed = parseManifest(bytes, row.mediaType);
    if (parsed.kind !== 'manifest' || parsed.manifest.layers.length !== layers.length) continue;
    const same = parsed.manifest.layers.every((layer, at) => layer.digest === layers[at]!.digest);
    if (same) return { mediaType: row.mediaType, digest: digestOf(bytes), bytes };
  }
  return undefined;
}

/** The index an image came in: that of its names before others, when there are several. */
export async function keptIndex(
  { images, storage }: Pick<ImageServices, 'images' | 'storage'>,
  image: Image,
  manifest: Digest,
): Promise<KeptIndex | undefined> {
  const rows = images.manifestsOf(image.id);
  const isNamed = (row: ManifestRow) => image.digests.some(name => name.endsWith(row.digest));
  const indexes = rows.filter(({ kind }) => kind === 'index');
  for (const row of [...indexes.filter(isNamed), ...indexes.filter(row => !isNamed(row))]) {
    const bytes = await readKept(storage.blobs, row);
    const parsed = bytes === undefined ? undefined : parseManifest(bytes, row.mediaType);
    if (bytes === undefined || parsed?.kind !== 'index') continue;
    const { index, mediaType } = parsed;
    if (!index.manifests.some(({ digest }) => digest === manifest)) continue;
    const kept: KeptIndex = { mediaType, digest: row.digest, bytes, index, others: [], missing: [] };
    for (const entry of index.manifests) {
      if (entry.digest === manifest) continue;
      const other = await keptOther(storage.blobs, rows, entry);
      if (other === undefined) kept.missing.push(entry);
      else kept.others.push(other);
    }
    return kept;
  }
  return undefined;
}

async function keptOther(
  blobs: BlobStore,
  rows: readonly ManifestRow[],
  entry: Descriptor,
): Promise<KeptIndex['others'][number] | undefined> {
  const row = rows.find(({ digest, kind }) => digest === entry.digest && /^(attestation|other)$/.test(kind));
  const bytes = row === undefined ? undefined : await readKept(blobs, row);
  if (row === undefined || bytes === undefined) return undefined;
  const parsed = parseManifest(bytes, row.mediaType);
  if (parsed.kind !== 'manifest') return undefined;
  const needed = [parsed.manifest.config, ...parsed.manifest.layers];
  if (!needed.every(({ digest }) => blobs.has(digest))) return undefined;
  return { manifest: { mediaType: row.mediaType, digest: row.digest, bytes }, blobs: needed };
}
