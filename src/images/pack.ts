import { mediaTypes } from '../oci/media-types.ts';
import type { Layer, LayerBlob } from '../storage/layers.ts';
import { compressionOf } from './manifest.ts';
import type { ImageServices } from './services.ts';

/** Four times as fast as Go's default for a tenth more bytes: a push waits for it. */
const level = 1;

/**
 * Compresses a layer made on this machine, as a registry wants it, and keeps the result with the layer, so that the
 * next push sends the same bytes (and finds them there already).
 * @param owner holds the blob from the moment it is there.
 * @returns `fresh`: all of it has gone through `onPacked`, and nobody else had made it before.
 */
export async function packLayer(
  { storage, packing }: Pick<ImageServices, 'storage' | 'packing'>,
  layer: Layer,
  owner: string,
  options: {
    /** Uncompressed bytes read so far. */
    onProgress: (currentBytes: number) => void;
    /** The compressed bytes, as they come: its own until it settles. It may hold packing up, and must not fail. */
    onPacked: (chunk: Buffer) => Promise<void>;
    /** That was all of them. The disk may still be busy with them. */
    onEnd?: () => void;
    signal: AbortSignal;
  },
): Promise<{ blob: LayerBlob; fresh: boolean }> {
  const { onProgress, onPacked, onEnd, signal } = options;
  return packing.run(layer.chainId, async () => {
    const known = storage.layers.get(layer.chainId)?.blob;
    if (known !== undefined && isPacked(known)) return { blob: known, fresh: false };
    const file = await storage.blobs.newFile(`pack:${layer.chainId}`);
    try {
      const { digest, size } = await storage.layers.compress(layer.chainId, {
        level,
        target: file.path,
        onProgress,
        onPacked,
        signal,
      });
      onEnd?.();
      await file.commit({ digest, size });
      const blob: LayerBlob = { digest, size, mediaType: mediaTypes.dockerLayerGzip };
      storage.database.transaction(() => {
        storage.blobs.reference(owner, digest);
        storage.layers.attachBlob(layer.chainId, blob);
      });
      return { blob, fresh: true };
    } catch (error) {
      await file.abort();
      throw error;
    }
  });
}

/** Whether a layer's blob is compressed. A plain one is kept for layers that were loaded or imported. */
export function isPacked(blob: LayerBlob): boolean {
  return compressionOf(blob.mediaType) !== 'none';
}
