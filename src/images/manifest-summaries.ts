import type { Digest } from '../oci/digest.ts';
import type { Descriptor, Platform } from '../oci/image.ts';
import { attestedManifest } from './attestations.ts';
import { readKept } from './kept-manifests.ts';
import { type ParsedManifest, parseManifest } from './manifest.ts';
import { platformOf } from './need-platform.ts';
import type { ImageServices } from './services.ts';
import type { Image } from './store.ts';

/** One manifest that an image consists of, or that stands beside its own in the index it came in. */
export interface ManifestSummary {
  descriptor: Descriptor;
  /** All of it is here. */
  available: boolean;
  /** Bytes of its configuration and layers as registries have them; 0 for what is not here. */
  contentBytes: number;
  /** Set for images. */
  image?: { platform: Platform; own: boolean; unpackedBytes: number };
  /** Set for attestations: the manifest it is about. */
  attests?: Digest;
}

/**
 * What is known of the manifests of an image: of its index all entries, else the manifest it came with, or went out
 * with. Nothing for an image that was made here and has never been pushed.
 */
export async function manifestSummaries(
  { images, storage }: Pick<ImageServices, 'images' | 'storage'>,
  image: Image,
): Promise<ManifestSummary[]> {
  const rows = images.manifestsOf(image.id);
  const parsed = new Map<Digest, ParsedManifest>();
  for (const row of rows.filter(({ kind }) => kind !== 'blob')) {
    const bytes = await readKept(storage.blobs, row);
    if (bytes !== undefined) parsed.set(row.digest, parseManifest(bytes, row.mediaType));
  }
  const summarise = (descriptor: Descriptor): ManifestSummary => {
    const found = parsed.get(descriptor.digest);
    const available = found?.kind === 'manifest';
    const contentBytes = available ? contentOf(found.manifest.config, found.manifest.layers) : 0;
    const attests = attestedManifest(descriptor);
    const summary = { descriptor, available, contentBytes };
    if (attests !== undefined) return { ...summary, attests };
    const own = available && found.manifest.config.digest === image.id;
    const platform = own ? platformOf(image) : (descriptor.platform ?? { os: '', architecture: '' });
    return { ...summary, image: { platform, own, unpackedBytes: own ? image.sizeBytes : 0 } };
  };
  const [indexRow] = rows.filter(({ kind }) => kind === 'index');
  const index = indexRow === undefined ? undefined : parsed.get(indexRow.digest);
  if (index?.kind === 'index') return index.index.manifests.map(summarise);
  const [row] = rows.filter(({ kind, digest }) => kind === 'manifest' && parsed.has(digest));
  if (row === undefined) return [];
  const size = storage.blobs.sizeOf(row.digest) ?? 0;
  return [summarise({ mediaType: row.mediaType, digest: row.digest, size })];
}

function contentOf(config: Descriptor, layers: readonly Descriptor[]): number {
  return layers.reduce((sum, { size }) => sum + size, config.size);
}
