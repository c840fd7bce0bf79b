import { Readable } from 'node:stream';
import { decompress } from '../archive/compression.ts';
import { EngineError } from '../stdx/errors.ts';
import type { BlobStore } from './blobs.ts';
import { ConfinedRoot } from './confined.ts';
import type { Layer } from './layers.ts';
import type { WorkerPool } from './worker-pool.ts';

/** The uncompressed tar of a layer: from the blob it came in, else packed again from its directory and verified. */
export function tarOfLayer(layer: Layer, blobs: BlobStore, workers: WorkerPool): Readable {
  const { blob } = layer;
  const chunks =
    blob !== undefined && blobs.has(blob.digest)
      ? fromBlob(blobs, blob.digest)
      : packVerified(layer, workers);
  return Readable.from(chunks, { objectMode: false, highWaterMark: 1 << 20 });
}

/** Opened when somebody reads: a stream that is never read would never close its file. */
async function* fromBlob(blobs: BlobStore, digest: Layer['diffId']): AsyncGenerator<Buffer> {
  yield* await decompress(blobs.stream(digest));
}

async function* packVerified(layer: Layer, workers: WorkerPool): AsyncGenerator<Buffer> {
  const root = await ConfinedRoot.open(layer.directory, workers);
  try {
    const { chunks, done } = root.pack({ path: '/', name: '', layer: true, preciseTimes: false });
    yield* chunks;
    const { digest } = await done;
    if (digest !== layer.diffId) {
      throw new EngineError('corrupt', `layer ${layer.diffId} was changed on disk: it is now ${digest}`);
    }
  } finally {
    await root.close();
  }
}
