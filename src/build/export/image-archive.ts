import type { Readable } from 'node:stream';
import type { TarWriter } from '../../archive/tar-writer.ts';
import { tarStream } from '../../images/tar-stream.ts';
import { type Digest, digestOf, hexOf } from '../../oci/digest.ts';
import type { Descriptor, ImageConfig, Manifest } from '../../oci/image.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import type { ExportPlan } from './attributes.ts';
import type { PackedLayer } from './packed-layers.ts';

/** An image that is in no store, ready to be written. */
export interface ImageArchive {
  manifest: Descriptor;
  configDigest: Digest;
  archive(): Readable;
}

/**
 * The tar of `--output type=oci` and `type=docker`: an OCI layout, and for `docker load` its manifest.json beside it.
 *
 *     blobs/sha256/<64 hex>
 *     index.json
 *     manifest.json    docker only
 *     oci-layout
 *
 * @param config its diff_ids are those of the layers
 * @param names as they are in registries: `docker.io/library/app:latest`
 */
export function imageArchive(
  config: ImageConfig,
  layers: readonly PackedLayer[],
  names: readonly { canonical: string; familiar: string; tag: string }[],
  plan: Extract<ExportPlan, { type: 'oci' | 'docker' }>,
): ImageArchive {
  const configBytes = Buffer.from(JSON.stringify(config));
  const configDigest = digestOf(configBytes);
  const { manifest: annotations, descriptor: descriptorAnnotations } = plan.annotations;
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: plan.ociTypes ? mediaTypes.ociManifest : mediaTypes.dockerManifest,
    config: {
      mediaType: plan.ociTypes ? mediaTypes.ociConfig : mediaTypes.dockerConfig,
      digest: configDigest,
      size: configBytes.length,
    },
    layers: layers.map(layer => layer.descriptor),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
  const manifestBytes = Buffer.from(JSON.stringify(manifest));
  const { os, architecture, variant } = config;
  const descriptor: Descriptor = {
    mediaType: manifest.mediaType!,
    digest: digestOf(manifestBytes),
    size: manifestBytes.length,
    platform: { architecture, os, ...(variant === undefined ? {} : { variant }) },
  };
  const created = { 'org.opencontainers.image.created': config.created ?? '1970-01-01T00:00:00Z' };
  const entries = names.map(({ canonical, tag }) => ({
    ...descriptor,
    annotations: {
      ...descriptorAnnotations,
      'io.containerd.image.name': canonical,
      ...created,
      'org.opencontainers.image.ref.name': tag,
    },
  }));
  const unnamed = { ...descriptor, annotations: { ...descriptorAnnotations, ...created } };
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: entries.length === 0 ? [unnamed] : entries,
  };
  const loaded = {
    Config: blobPath(configDigest),
    RepoTags: names.length === 0 ? null : names.map(name => name.familiar),
    Layers: layers.map(layer => blobPath(layer.descriptor.digest)),
  };
  return {
    manifest: descriptor,
    configDigest,
    archive: () =>
      tarStream(async tar => {
        await tar.add({ name: 'blobs', type: 'directory' });
        await tar.add({ name: 'blobs/sha256', type: 'directory' });
        await addBlobs(tar, [
          ...layers.map(layer => ({ ...layer.descriptor, content: () => layer.content() })),
          { digest: configDigest, size: configBytes.length, content: () => [configBytes] },
          { digest: descriptor.digest, size: descriptor.size, content: () => [manifestBytes] },
        ]);
        await tar.add({ name: 'index.json', type: 'file' }, JSON.stringify(index));
        if (plan.type === 'docker') {
          await tar.add({ name: 'manifest.json', type: 'file' }, JSON.stringify([loaded]));
        }
        await tar.add({ name: 'oci-layout', type: 'file' }, '{"imageLayoutVersion":"1.0.0"}');
      }),
  };
}

interface Blob {
  digest: Digest;
  size: number;
  content(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Each once, in the order of their digests. */
async function addBlobs(tar: TarWriter, blobs: readonly Blob[]): Promise<void> {
  const unique = new Map(blobs.map(blob => [blob.digest, blob]));
  for (const [digest, { size, content }] of [...unique].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await tar.addStream({ name: blobPath(digest), type: 'file', size }, content());
  }
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}
