import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createCompressor } from '../../archive/compression.ts';
import { compressionOf } from '../../images/manifest.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Descriptor } from '../../oci/image.ts';
import { type LayerCompression, mediaTypes } from '../../oci/media-types.ts';
import type { Layer } from '../../storage/layers.ts';
import type { Storage } from '../../storage/storage.ts';
import type { LayerForm } from './attributes.ts';
import { type LayerTimes, rewriteTimes } from './rewrite-times.ts';

export interface PackedLayer {
  descriptor: Descriptor;
  /** Of the plain tar. */
  diffId: Digest;
  content(): AsyncIterable<Uint8Array>;
}

export interface PackingOptions {
  storage: Storage;
  /** For layers that are not kept in the form that is wanted. */
  directory: string;
  form: LayerForm;
  ociTypes: boolean;
  /** undefined: the layer's own. */
  times?: LayerTimes | undefined;
  signal: AbortSignal;
}

/** As a push packs layers, so that the same image gives the same archive before and after one. */
const defaultGzipLevel = 1;

/** A layer as an archive has it: the blob that is kept, if it is in the form wanted, else a file made of it. */
export async function packLayer(layer: Layer, options: PackingOptions): Promise<PackedLayer> {
  const { storage, form, ociTypes, times } = options;
  const { blob } = layer;
  if (blob !== undefined && times === undefined && storage.blobs.has(blob.digest)) {
    const kept = compressionOf(blob.mediaType);
    if (kept === form.type || (!form.force && kept !== 'none' && form.level === undefined)) {
      const descriptor = {
        mediaType: layerType(kept, ociTypes),
        digest: blob.digest,
        size: blob.size,
      };
      return { descriptor, diffId: layer.diffId, content: () => storage.blobs.stream(blob.digest) };
    }
  }
  const path = join(options.directory, layer.chainId.replace(':', '-'));
  const plain = createHash('sha256');
  const packed = createHash('sha256');
  let size = 0;
  const tar = storage.layers.tar(layer.chainId);
  const source = times === undefined ? tar : rewriteTimes(tar, times);
  const counted = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      packed.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  };
  const { signal } = options;
  const file = createWriteStream(path);
  if (form.type === 'none') await pipeline(hashed(source, plain), counted, file, { signal });
  else {
    const level = form.level ?? (form.type === 'gzip' ? defaultGzipLevel : undefined);
    await pipeline(hashed(source, plain), createCompressor(form.type, level), counted, file, { signal });
  }
  return {
    descriptor: {
      mediaType: layerType(form.type, ociTypes),
      digest: `sha256:${packed.digest('hex')}`,
      size,
    },
    diffId: `sha256:${plain.digest('hex')}`,
    content: () => createReadStream(path, { highWaterMark: 1 << 20 }),
  };
}

async function* hashed(
  source: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}

export function layerType(compression: LayerCompression, oci: boolean): string {
  switch (compression) {
    case 'none':
      return oci ? mediaTypes.ociLayer : mediaTypes.dockerLayer;
    case 'gzip':
      return oci ? mediaTypes.ociLayerGzip : mediaTypes.dockerLayerGzip;
    case 'zstd':
      return oci ? mediaTypes.ociLayerZstd : mediaTypes.dockerLayerZstd;
  }
}
