import { Readable } from 'node:stream';
import type { Image, ImageStore } from '../../images/store.ts';
import type { Manifest } from '../../oci/image.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Storage } from '../../storage/storage.ts';
import type { CachePlace } from './place.ts';

/** An image of this machine as a source: its layers go by their uncompressed digests. */
export function imagePlace(name: string, image: Image, images: ImageStore, storage: Storage): CachePlace {
  const layers = image.chainId === undefined ? [] : storage.layers.chain(image.chainId);
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: image.id, size: 0 },
    layers: layers.map(({ diffId }) => ({ mediaType: mediaTypes.ociLayer, digest: diffId, size: 0 })),
  };
  const readOnly = async (): Promise<never> => {
    throw new EngineError('internal', `${name} is an image: nothing is written to it`);
  };
  return {
    name,
    async manifest() {
      return { bytes: Buffer.from(JSON.stringify(manifest)), mediaType: mediaTypes.ociManifest };
    },
    manifestOf: readOnly,
    async read(digest) {
      if (digest === image.id) return Readable.from([images.configBytes(image.id)]);
      const layer = layers.find(one => one.diffId === digest);
      if (layer === undefined) throw new EngineError('notFound', `${name} has no layer ${digest}`);
      return storage.layers.tar(layer.chainId);
    },
    async has(digest) {
      return digest === image.id || layers.some(layer => layer.diffId === digest);
    },
    write: readOnly,
    putManifest: readOnly,
  };
}
