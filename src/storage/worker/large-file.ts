import { DirectFile, directAlignment, directBuffer } from '../../linux/direct-file.ts';

/** Of this size and more, files are written past the page cache: nobody reads all of them at once, soon. */
export const largeFileBytes = 32 << 20;

const chunkSize = 1 << 20;
/** One is filled while the others are written. */
const chunkCount = 4;

/** Chunks that no file has, to be used by the next one. */
const spare: Buffer[] = [];

/**
 * A large file on its way to the disk, in pieces as they come. Holes may be left out. What is full is written by the
 * thread pool while more comes; whoever does not wait when it is behind() waits for the disk in write().
 */
export class LargeFile {
  readonly #file: DirectFile;
  readonly #idle = Array.from({ length: chunkCount }, () => spare.pop() ?? directBuffer(chunkSize));
  #chunk = this.#idle.pop()!;
  /** Where in the file the chunk belongs; always aligned. */
  #start = 0;
  /** What of the chunk is not written: from..to. */
  #from = 0;
  #to = 0;
  /** What was given to the thread pool, one chunk after the other; never rejects. */
  #writing: Promise<void> = Promise.resolve();
  /** Somebody waits for an idle chunk. */
  #room: PromiseWithResolvers<void> | undefined;
  #failure: { error: unknown } | undefined;

  /** @param path an existing, empty file. */
  constructor(path: string | Buffer) {
    this.#file = new DirectFile(path);
  }

  /** In the order of offsets, without overlaps. @throws what the disk says, of this piece or of one before */
  write(bytes: Buffer, offset: number): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (offset !== this.#start + this.#to) this.#moveTo(offset);
    for (let at = 0; at < bytes.length; ) {
      const copied = bytes.copy(this.#chunk, this.#to, at);
      this.#to += copied;
      at += copied;
      if (this.#to === chunkSize) this.#moveTo(this.#start + chunkSize);
    }
  }

  /** All chunks but the one that is being filled wait for the disk: more should come when this settles. Never rejects. */
  behind(): Promise<void> | undefined {
    if (this.#idle.length > 0) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Settles when all of it is written. @throws what the disk says */
  async finish(): Promise<void> {
    if (this.#failure === undefined) this.#moveTo(this.#start + this.#to);
    await this.settled();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Nothing is being written any more. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** Not before it is settled: the descriptor's next owner would get the bytes. */
  close(): void {
    this.#file.close();
    spare.push(this.#chunk, ...this.#idle.splice(0));
  }

  #moveTo(offset: number): void {
    if (this.#to > this.#from) this.#writeChunk();
    this.#from = offset % directAlignment;
    this.#to = this.#from;
    this.#start = offset - this.#from;
  }

  #writeChunk(): void {
    const chunk = this.#chunk;
    const bytes = chunk.subarray(this.#from, this.#to);
    const at = this.#start + this.#from;
    const next = this.#idle.pop();
    if (next === undefined) {
      this.#file.writeNow(bytes, at);
      return;
    }
    this.#chunk = next;
    this.#writing = this.#writing
      .then(() => (this.#failure === undefined ? this.#file.write(bytes, at) : undefined))
      .catch(error => {
        this.#failure ??= { error };
      })
      .then(() => this.#giveBack(chunk));
  }

  #giveBack(chunk: Buffer): void {
    this.#idle.push(chunk);
    this.#room?.resolve();
    this.#room = undefined;
  }
}
