import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import { GzipBlocks } from '../../archive/parallel-gzip.ts';
import { DirectFile, directBuffer } from '../../linux/direct-file.ts';
import type { Digest } from '../../oci/digest.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { Confinement } from './confinement.ts';
import { diskError } from './errors.ts';
import { Packer } from './pack.ts';

export interface CompressLayer {
  /** A layer's directory, or the file of its tar, on the host. */
  source: { directory: string } | { tar: string };
  /** The file to be filled; it is there and empty. */
  target: string;
  level: number;
  /** Brings the compressed bytes to whoever sends them (../layer-compression.ts), who gives their memory back. */
  port: MessagePort;
}

export interface CompressedLayer {
  /** Of the compressed bytes. */
  digest: Digest;
  size: number;
  /** Of a directory: what its tar hashes to. */
  diffId?: Digest;
}

/**
 * Makes a gzip file of a layer and shows the same bytes to a sender meanwhile. All memory is used again: fresh buffers
 * for all that goes through made the collector of garbage the busiest part of a push.
 */
export async function compressLayer(
  { source, target, level, port }: CompressLayer,
  { confinement, progress }: { confinement: Confinement; progress: (value: number) => void },
): Promise<CompressedLayer> {
  const file = new DirectFile(target);
  const output = new Output(file, port);
  const blocks = new GzipBlocks(pieces => output.put(pieces), level);
  try {
    let taken = 0;
    const take = async (chunk: Uint8Array) => {
      await blocks.take(chunk);
      taken += chunk.length;
      progress(taken);
    };
    const diffId =
      'tar' in source
        ? await takeFile(source.tar, take)
        : await takeDirectory(source.directory, confinement, take);
    await blocks.finish();
    return { ...(await output.finish()), ...(diffId === undefined ? {} : { diffId }) };
  } finally {
    blocks.close();
    // Whatever is still being written would be written to the descriptor's next owner.
    await output.settled();
    file.close();
    port.close();
  }
}

type Take = (chunk: Uint8Array) => Promise<void>;

async function takeFile(path: string, take: Take): Promise<undefined> {
  const fd = openSync(path, 'r');
  try {
    const chunk = Buffer.allocUnsafeSlow(chunkSize);
    for (let read = readSync(fd, chunk); read > 0; read = readSync(fd, chunk))
      await take(chunk.subarray(0, read));
  } finally {
    closeSync(fd);
  }
}

async function takeDirectory(path: string, confinement: Confinement, take: Take): Promise<Digest> {
  confinement.enter(path);
  try {
    const hash = createHash('sha256');
    const packer = new Packer({ path: '/', name: '', layer: true, preciseTimes: false, reuse: true });
    for (const chunk of packer.chunks()) {
      hash.update(chunk);
      await take(chunk);
    }
    return `sha256:${hash.digest('hex')}`;
  } finally {
    confinement.leave();
  }
}

/** Gathers pieces, hashes and writes them, and lends them to the sender, who gives their memory back. */
class Output {
  readonly #file: DirectFile;
  readonly #port: MessagePort;
  readonly #hash = createHash('sha256');
  readonly #idle: Buffer<ArrayBuffer>[] = [];
  #lent = 0;
  #chunk = directBuffer(chunkSize);
  #used = 0;
  #size = 0;
  #writing: Promise<void> = Promise.resolve();
  #failure: unknown;
  #receiverGone = false;
  #wake = () => {};

  constructor(file: DirectFile, port: MessagePort) {
    this.#file = file;
    this.#port = port;
    port.on('message', (bytes: Uint8Array<ArrayBuffer>) =>
      this.#takeBack(Buffer.from(bytes.buffer, bytes.byteOffset, chunkSize)),
    );
    port.on('close', () => {
      this.#receiverGone = true;
      this.#wake();
    });
  }

  async put(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; ) {
        const copied = piece.copy(this.#chunk, this.#used, at);
        this.#used += copied;
        at += copied;
        if (this.#used === chunkSize) await this.#next();
      }
    }
  }

  async finish(): Promise<{ digest: Digest; size: number }> {
    if (this.#used > 0) this.#startWriting();
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
    this.#port.postMessage('end');
    return { digest: `sha256:${this.#hash.digest('hex')}`, size: this.#size };
  }

  async settled(): Promise<void> {
    await this.#writing;
  }

  async #next(): Promise<void> {
    this.#startWriting();
    while (this.#idle.length === 0 && this.#lent >= lentLimit && !this.#receiverGone)
      await new Promise<void>(resolve => (this.#wake = resolve));
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#receiverGone) throw new EngineError('cancelled', 'nobody waits for the layer any more');
    this.#chunk = this.#idle.pop() ?? directBuffer(chunkSize);
    this.#used = 0;
  }

  #startWriting(): void {
    const chunk = this.#chunk;
    const length = this.#used;
    const at = this.#size;
    this.#size += length;
    this.#lent++;
    this.#hash.update(chunk.subarray(0, length));
    this.#writing = this.#writing
      .then(() => this.#write(chunk, length, at))
      .catch(error => {
        this.#failure ??= diskError('storing a blob', error);
        this.#wake();
      });
  }

  async #write(chunk: Buffer<ArrayBuffer>, length: number, at: number): Promise<void> {
    if (this.#failure !== undefined) return;
    await this.#file.write(chunk.subarray(0, length), at);
    this.#port.postMessage(new Uint8Array(chunk.buffer, chunk.byteOffset, length), [chunk.buffer]);
  }

  #takeBack(chunk: Buffer<ArrayBuffer>): void {
    this.#lent--;
    this.#idle.push(chunk);
    this.#wake();
  }
}

const chunkSize = 1 << 20;
/** Chunks that are being written or sent. */
const lentLimit = 6;
