import { closeSync, openSync, readSync } from 'node:fs';
import { DirectReader, directBuffer } from '../../linux/direct-file.ts';

/** A layer's tar, compressed or not, read from its beginning into memory that is used again. */
export class LayerFile {
  readonly #fd: number;
  readonly #direct: DirectReader | undefined;
  readonly #memory: Buffer[] = [];
  #turn = 0;

  /** @param pastCache all of it, or all that is there of it, is on the disk: see DirectReader */
  constructor(path: string, { pastCache }: { pastCache: boolean }) {
    this.#fd = openSync(path, 'r');
    this.#direct = pastCache ? new DirectReader(path, this.#fd) : undefined;
  }

  /** The first bytes. */
  head(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(this.#fd, bytes, 0, length, 0));
  }

  /**
   * At most half a megabyte, at most `limit`; nothing at the end of the file.
   * @returns memory that is good until the next but one is asked for
   */
  async read(at: number, limit = Number.POSITIVE_INFINITY): Promise<Buffer> {
    const turn = this.#turn++ % 2;
    this.#memory[turn] ??= directBuffer(readSize);
    const memory = this.#memory[turn];
    const length = Math.min(limit, readSize);
    const read = this.#direct
      ? await this.#direct.read(memory, length, at)
      : readSync(this.#fd, memory, 0, length, at);
    return memory.subarray(0, read);
  }

  /** All of it. */
  async *chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; ; ) {
      const chunk = await this.read(at);
      if (chunk.length === 0) return;
      at += chunk.length;
      yield chunk;
    }
  }

  /** Not while it is read. */
  close(): void {
    this.#direct?.close();
    closeSync(this.#fd);
  }
}

const readSize = 512 * 1024;
