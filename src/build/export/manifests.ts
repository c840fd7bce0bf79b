import { type Digest, digestOf } from '../../oci/digest.ts';
import type { Descriptor, ImageConfig, Index, Manifest } from '../../oci/image.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import { formatPlatform } from '../platform.ts';
import { type Annotation, annotationsOf } from './attributes.ts';
import type { PackedLayer } from './packed-layers.ts';

export interface Blob {
  digest: Digest;
  /** bytes */
  size: number;
  mediaType: string;
  content(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** A manifest that is in no store, with all it names. */
export interface NewManifest {
  /** As an index has it. */
  descriptor: Descriptor;
  bytes: Buffer;
  /** Its configuration first, then its layers. */
  blobs: Blob[];
}

export interface ManifestForm {
  /** Media types of OCI, not of Docker. */
  ociTypes: boolean;
  annotations: readonly Annotation[];
}

/** The manifest of one platform. @param config its diff_ids are those of the layers */
export function imageManifest(
  config: ImageConfig,
  layers: readonly PackedLayer[],
  { ociTypes, annotations }: ManifestForm,
): NewManifest {
  const { os, architecture, variant } = config;
  const platform = { architecture, os, ...(variant === undefined ? {} : { variant }) };
  const name = formatPlatform(platform);
  const configBlob = blobOf(
    Buffer.from(JSON.stringify(config)),
    ociTypes ? mediaTypes.ociConfig : mediaTypes.dockerConfig,
  );
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: ociTypes ? mediaTypes.ociManifest : mediaTypes.dockerManifest,
    config: descriptorOf(configBlob),
    layers: layers.map(layer => layer.descriptor),
    ...some('annotations', annotationsOf(annotations, 'manifest', name)),
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  return {
    descriptor: {
      ...descriptorOf(blobOf(bytes, manifest.mediaType!)),
      platform,
      ...some('annotations', annotationsOf(annotations, 'manifest-descriptor', name)),
    },
    bytes,
    blobs: [configBlob, ...layers.map(layer => ({ ...layer.descriptor, content: () => layer.content() }))],
  };
}

/** The index of some manifests. */
export function imageIndex(
  manifests: readonly NewManifest[],
  { ociTypes, annotations }: ManifestForm,
): { descriptor: Descriptor; bytes: Buffer } {
  const index: Index = {
    schemaVersion: 2,
    mediaType: ociTypes ? mediaTypes.ociIndex : mediaTypes.dockerIndex,
    manifests: manifests.map(({ descriptor }) => descriptor),
    ...some('annotations', annotationsOf(annotations, 'index')),
  };
  const bytes = Buffer.from(JSON.stringify(index));
  return {
    descriptor: {
      ...descriptorOf(blobOf(bytes, index.mediaType!)),
      ...some('annotations', annotationsOf(annotations, 'index-descriptor')),
    },
    bytes,
  };
}

export function blobOf(bytes: Buffer, mediaType: string): Blob {
  return { mediaType, digest: digestOf(bytes), size: bytes.length, content: () => [bytes] };
}

export function descriptorOf({ mediaType, digest, size }: Blob): Descriptor {
  return { mediaType, digest, size };
}

function some<K extends string>(name: K, values: Record<string, string>): { [key in K]?: typeof values } {
  return Object.keys(values).length === 0 ? {} : ({ [name]: values } as { [key in K]: typeof values });
}
