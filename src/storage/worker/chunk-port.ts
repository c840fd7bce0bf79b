import { Readable } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import { EngineError } from '../../stdx/errors.ts';
import { fromPlainError, type PlainError, toPlainError } from './protocol.ts';

/**
 * A byte stream through a MessagePort, between any two threads. Large chunks are moved, not copied; small ones (a
 * client sends the tar of a context header by header) are gathered while more of them are at hand. The receiver tells
 * what it has used up, and the sender stops when `windowSize` bytes are on their way:
 *
 *     sender   -> Uint8Array ... -> 'end' | { error }
 *     receiver -> number of bytes used up ...           closing the port early tells the sender to stop
 */
type Message = Uint8Array | 'end' | { error: PlainError };

const windowSize = 4 << 20;
/** How much is used up before the sender hears of it. */
const reportSize = 256 * 1024;
/** Below it chunks are gathered, up to it. */
const gatheredSize = 64 * 1024;

/**
 * Sends all of it, then the end; an error of the source goes to the receiver and is not thrown here.
 * @returns false when the receiver went away.
 */
export async function sendChunks(
  port: MessagePort,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<boolean> {
  let unused = 0;
  let open = true;
  let wake = () => {};
  port.on('message', (used: number) => {
    unused -= used;
    wake();
  });
  port.on('close', () => {
    open = false;
    wake();
  });
  const gathered: Uint8Array[] = [];
  let gatheredLength = 0;
  let scheduled = false;
  const post = (own: Uint8Array<ArrayBuffer>) => {
    unused += own.length;
    port.postMessage(own, [own.buffer]);
  };
  const postGathered = () => {
    scheduled = false;
    if (!open || gatheredLength === 0) return;
    const own = new Uint8Array(gatheredLength);
    let at = 0;
    for (const chunk of gathered.splice(0)) {
      own.set(chunk, at);
      at += chunk.length;
    }
    gatheredLength = 0;
    post(own);
  };
  try {
    for await (const chunk of source) {
      while (open && unused >= windowSize) await new Promise<void>(resolve => (wake = resolve));
      if (!open) return false;
      if (chunk.length >= gatheredSize) {
        postGathered();
        post(ownBytes(chunk));
        continue;
      }
      gathered.push(chunk);
      gatheredLength += chunk.length;
      if (gatheredLength >= gatheredSize) postGathered();
      else if (!scheduled) {
        // Once everything that has come by now has been taken: nothing waits for bytes that may come much later.
        scheduled = true;
        setImmediate(postGathered);
      }
    }
    postGathered();
    if (open) port.postMessage('end');
  } catch (error) {
    postGathered();
    if (open) port.postMessage({ error: toPlainError(error) });
  }
  return open;
}

/** The chunks of the other side; ends with its end, throws its error. Leaving early stops it. */
export async function* receiveChunks(port: MessagePort): AsyncGenerator<Buffer, void, undefined> {
  const queue: Message[] = [];
  let open = true;
  let used = 0;
  let wake = () => {};
  port.on('message', (message: Message) => {
    queue.push(message);
    wake();
  });
  port.on('close', () => {
    open = false;
    wake();
  });
  try {
    for (;;) {
      while (open && queue.length === 0) await new Promise<void>(resolve => (wake = resolve));
      const message = queue.shift();
      if (message === undefined) throw new EngineError('cancelled', 'the other side of a stream went away');
      if (message === 'end') return;
      if (!(message instanceof Uint8Array)) throw fromPlainError(message.error);
      // The length before, as whoever gets the chunk may move it on.
      const { length } = message;
      yield Buffer.from(message.buffer, message.byteOffset, length);
      used += length;
      if (!open || used < reportSize) continue;
      port.postMessage(used);
      used = 0;
    }
  } finally {
    port.close();
  }
}

export function readableFrom(chunks: AsyncIterable<Buffer>): Readable {
  return Readable.from(chunks, { objectMode: false, highWaterMark: 1 << 20 });
}

/** Bytes whose memory can be moved: Node cuts small buffers, and streams theirs, out of shared ones. */
function ownBytes(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = chunk;
  const whole = buffer instanceof ArrayBuffer && chunk.byteLength === buffer.byteLength;
  // Small ones may still be Node's own pool; large whole ones were made for this chunk alone.
  return whole && chunk.byteLength >= 64 * 1024 ? new Uint8Array(buffer) : new Uint8Array(chunk);
}
