import { DirectFile, directAlignment, directBuffer } from '../../linux/direct-file.ts';

/** Of this size and more, files are written past the page cache: nobody reads all of them at once, soon. */
export const largeFileBytes = 32 << 20;

/** Used by one file after the other. */
let memory: Buffer | undefined;

/** A large file on its way to the disk, in pieces as they come. Holes may be left out. */
export class LargeFile {
  readonly #file: DirectFile;
  readonly #chunk: Buffer;
  /** Where in the file the chunk belongs; always aligned. */
  #start = 0;
  /** What of the chunk is not written: from..to. */
  #from = 0;
  #to = 0;

  /** @param path an existing, empty file. */
  constructor(path: string | Buffer) {
    this.#file = new DirectFile(path);
    this.#chunk = memory ?? directBuffer(chunkSize);
    memory = undefined;
  }

  /** In the order of offsets, without overlaps. */
  write(bytes: Buffer, offset: number): void {
    if (offset !== this.#start + this.#to) this.#moveTo(offset);
    for (let at = 0; at < bytes.length; ) {
      const copied = bytes.copy(this.#chunk, this.#to, at);
      this.#to += copied;
      at += copied;
      if (this.#to === chunkSize) this.#moveTo(this.#start + chunkSize);
    }
  }

  finish(): void {
    this.#moveTo(this.#start + this.#to);
  }

  close(): void {
    this.#file.close();
    memory = this.#chunk;
  }

  #moveTo(offset: number): void {
    if (this.#to > this.#from) this.#writeChunk();
    this.#from = offset % directAlignment;
    this.#to = this.#from;
    this.#start = offset - this.#from;
  }

  #writeChunk(): void {
    this.#file.writeNow(this.#chunk.subarray(this.#from, this.#to), this.#start + this.#from);
  }
}

const chunkSize = 1 << 20;
