import type { MessagePort } from 'node:worker_threads';
import type { ReceivedTree, TreeAnswer, TreeEntry, TreeMessage } from './worker/receive-tree.ts';

export type { ReceivedTree, TreeEntry } from './worker/receive-tree.ts';

/** How much may be on its way to the worker. */
const windowBytes = 8 << 20;
const batchEntries = 256;
const batchBytes = 256 * 1024;

/**
 * A tree on its way to a confined worker: first all of its files by name, then the contents that the worker has asked
 * for. What comes in a turn of the event loop goes over in one message.
 */
export class TreeReception {
  /** When all wanted files are there. Rejects as soon as something is wrong; nobody need send on then. */
  readonly done: Promise<ReceivedTree>;
  readonly #port: MessagePort;
  #entries: TreeEntry[] = [];
  #chunks: [number, Uint8Array][] = [];
  #chunkBytes = 0;
  #unusedBytes = 0;
  #scheduled = false;
  #failed = false;
  #wake = () => {};

  constructor(port: MessagePort, done: Promise<ReceivedTree>, want: (indexes: readonly number[]) => void) {
    this.#port = port;
    port.on('message', (answer: TreeAnswer) => {
      if ('wanted' in answer) want(answer.wanted);
      else {
        this.#unusedBytes -= answer.usedBytes;
        this.#wake();
      }
    });
    this.done = done.finally(() => {
      this.#failed = true;
      this.#wake();
      port.close();
    });
    this.done.catch(() => {});
  }

  entry(entry: TreeEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length >= batchEntries) this.#flush();
    else this.#schedule();
  }

  /** The last entry was told. */
  all(): void {
    this.#flush();
    this.#post('all');
  }

  /** @param chunk copied; an empty one ends the file. Settles when more may come */
  async data(index: number, chunk: Uint8Array): Promise<void> {
    this.#chunks.push([index, new Uint8Array(chunk)]);
    this.#chunkBytes += chunk.length;
    if (this.#chunkBytes >= batchBytes) this.#flush();
    else this.#schedule();
    while (this.#unusedBytes >= windowBytes && !this.#failed) {
      await new Promise<void>(resolve => (this.#wake = resolve));
    }
  }

  /** The other side has gone: the worker is told to stop. */
  abort(): void {
    this.#failed = true;
    this.#port.close();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#entries.length > 0) this.#post({ entries: this.#entries.splice(0) });
    if (this.#chunks.length === 0) return;
    this.#unusedBytes += this.#chunkBytes;
    this.#chunkBytes = 0;
    const chunks = this.#chunks.splice(0);
    this.#post(
      { chunks },
      chunks.map(([, chunk]) => chunk.buffer as ArrayBuffer),
    );
  }

  #post(message: TreeMessage, transfer: ArrayBuffer[] = []): void {
    if (!this.#failed) this.#port.postMessage(message, transfer);
  }
}
