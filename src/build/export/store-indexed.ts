import { compressionOf } from '../../images/manifest.ts';
import { packLayer } from '../../images/pack.ts';
import type { ManifestRow } from '../../images/tables.ts';
import { writtenName } from '../../images/written-names.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageConfig } from '../../oci/image.ts';
import { descriptorAnswer, type ExportAnswer } from './answer.ts';
import { attestationsFor, attestedIn } from './attested.ts';
import type { ExportPlan } from './attributes.ts';
import type { ExportContext } from './export.ts';
import { imageIndex, imageManifest, type NewManifest } from './manifests.ts';
import { layerType, type PackedLayer } from './packed-layers.ts';
import { type BuildResult, type BuiltImage, mainImage } from './result.ts';

/**
 * Puts a result into the store with its manifests, as if it had been pulled: layers packed, and an index when it is one.
 * The image is that of the machine's own platform; what there is for others is kept with it, as blobs, so that a push
 * or `save` has it all.
 */
export async function storeIndexed(
  result: BuildResult,
  plan: Extract<ExportPlan, { type: 'image' }>,
  context: ExportContext,
): Promise<{ imageId: Digest; answer: ExportAnswer }> {
  const { images, storage, lease } = context;
  const form = { ociTypes: plan.ociTypes ?? true, annotations: plan.annotations };
  const main = mainImage(result);
  const rows: ManifestRow[] = [];
  const keep = async (bytes: Buffer, row: Omit<ManifestRow, 'digest'>) => {
    const { digest } = await storage.blobs.write(bytes, lease.owner);
    rows.push({ digest, ...row });
  };
  const manifests: NewManifest[] = [];
  let configBytes = Buffer.alloc(0);
  for (const image of result.images) {
    const config = configOf(image);
    const manifest = imageManifest(config, await packLayers(image, form.ociTypes, context), form);
    const { mediaType } = manifest.descriptor;
    if (image === main) configBytes = Buffer.from(JSON.stringify(config));
    else {
      const [{ mediaType: configType }, ...layers] = manifest.blobs as [NewManifest['blobs'][0]];
      await keep(Buffer.from(JSON.stringify(config)), { mediaType: configType, kind: 'blob' });
      for (const { digest, mediaType } of layers) rows.push({ digest, mediaType, kind: 'blob' });
    }
    await keep(manifest.bytes, { mediaType, kind: image === main ? 'manifest' : 'other' });
    manifests.push(manifest);
  }
  let root = manifests[0]!.descriptor;
  const attested = attestedIn(result, plan);
  const names = plan.names.map(writtenName);
  const attestations = attested ? attestationsFor(result, manifests, plan, names) : [];
  for (const { descriptor, bytes, blobs } of attestations) {
    for (const { mediaType, content } of blobs)
      await keep(Buffer.concat([...(content() as Iterable<Uint8Array>)]), { mediaType, kind: 'blob' });
    await keep(bytes, { mediaType: descriptor.mediaType, kind: 'attestation' });
  }
  if (result.several || attested) {
    const { descriptor, bytes } = imageIndex([...manifests, ...attestations], form);
    await keep(bytes, { mediaType: descriptor.mediaType, kind: 'index' });
    root = descriptor;
  }
  const { id } = images.add(configBytes);
  images.setManifests(id, rows);
  return {
    imageId: id,
    answer: { 'containerimage.digest': root.digest, ...descriptorAnswer(root) },
  };
}

function configOf({ config, layers }: BuiltImage): ImageConfig {
  return { ...config, rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) } };
}

/** As a push packs them, so that it finds them packed. */
async function packLayers(
  { layers }: BuiltImage,
  ociTypes: boolean,
  { storage, packing, lease, signal }: ExportContext,
): Promise<PackedLayer[]> {
  const packed: PackedLayer[] = [];
  for (const layer of layers) {
    const { blob } = await packLayer({ storage, packing }, layer, lease.owner, {
      onProgress: () => {},
      onPacked: async () => {},
      signal,
    });
    lease.holdBlob(blob.digest);
    const { digest, size } = blob;
    const mediaType = layerType(compressionOf(blob.mediaType), ociTypes);
    packed.push({
      descriptor: { mediaType, digest, size },
      diffId: layer.diffId,
      content: () => storage.blobs.stream(digest),
    });
  }
  return packed;
}
