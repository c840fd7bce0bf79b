import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { EngineError } from '../stdx/errors.ts';
import type { BlobStore } from './blobs.ts';
import type { Layer } from './layers.ts';
import type { CompressedLayer } from './worker/compress-layer.ts';
import type { WorkerPool } from './worker-pool.ts';

export interface CompressionOptions {
  /** gzip's, 1-9. */
  level: number;
  /** An empty file. */
  target: string;
  /** Uncompressed bytes read so far. */
  onProgress: (currentBytes: number) => void;
  /** The compressed bytes, as they come: its own until it settles. It may hold everything up, and must not fail. */
  onPacked: (chunk: Buffer) => Promise<void>;
  signal: AbortSignal;
}

/**
 * Makes a gzip file of a layer in a worker: from the plain tar it came in, else from its directory, which must still be
 * what it was.
 * @throws EngineError `corrupt` when it is not, `exhausted`, `cancelled`.
 */
export async function compressLayer(
  layer: Layer,
  { blobs, workers }: { blobs: BlobStore; workers: WorkerPool },
  { level, target, onProgress, onPacked, signal }: CompressionOptions,
): Promise<CompressedLayer> {
  const { port1, port2 } = new MessageChannel();
  const shown = showChunks(port1, onPacked);
  const { blob } = layer;
  const source =
    blob?.mediaType.endsWith('tar') === true && blobs.has(blob.digest)
      ? { tar: blobs.pathOf(blob.digest) }
      : { directory: layer.directory };
  try {
    const argument = { source, target, level, port: port2 };
    const made = await workers.run('compressLayer', argument, { signal, onProgress, transfer: [port2] });
    if (made.diffId !== undefined && made.diffId !== layer.diffId) {
      const now = `layer ${layer.diffId} was changed on disk: it is now ${made.diffId}`;
      throw new EngineError('corrupt', now);
    }
    await shown;
    return made;
  } finally {
    port1.close();
  }
}

/** Hands over chunk after chunk, and gives the memory of each back to the worker. Settles after the last, never fails. */
async function showChunks(port: MessagePort, onPacked: (chunk: Buffer) => Promise<void>): Promise<void> {
  const queue: (Uint8Array<ArrayBuffer> | 'end')[] = [];
  let open = true;
  let wake = () => {};
  port.on('message', (message: Uint8Array<ArrayBuffer> | 'end') => {
    queue.push(message);
    wake();
  });
  port.on('close', () => {
    open = false;
    wake();
  });
  for (;;) {
    while (open && queue.length === 0) await new Promise<void>(resolve => (wake = resolve));
    const chunk = queue.shift();
    if (chunk === undefined || chunk === 'end') return;
    await onPacked(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    if (open) port.postMessage(chunk, [chunk.buffer]);
  }
}
