import type { Writable } from 'node:stream';

/**
 * For both sides. The windows are large, as the other side is on the same machine mostly; headers are bounded:
 * a call's patterns of files are in them, and an error's excerpt of a Dockerfile.
 */
export const http2Settings = {
  windowBytes: 16 * 1024 * 1024,
  maxHeaderListPairs: 16_384,
  maxSendHeaderBlockLength: 1024 * 1024,
  maxSessionMemory: 64,
  settings: {
    initialWindowSize: 4 * 1024 * 1024,
    maxHeaderListSize: 1024 * 1024,
    maxConcurrentStreams: 256,
    enablePush: false,
  },
};

/** Writes; settles when more can be written. @throws when the stream is gone */
export function takeChunk(stream: Writable, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stream.destroyed || stream.writableEnded) {
      reject(new Error('the other side of the call is gone'));
      return;
    }
    if (stream.write(chunk)) {
      resolve();
      return;
    }
    const done = (act: () => void) => () => {
      stream.off('drain', drained);
      stream.off('close', closed);
      act();
    };
    const drained = done(resolve);
    const closed = done(() => reject(new Error('the other side of the call is gone')));
    stream.once('drain', drained);
    stream.once('close', closed);
  });
}
