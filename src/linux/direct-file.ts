import { closeSync, constants, openSync, read, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import koffi from 'koffi';
import { errnoOf } from '../stdx/errors.ts';

/** What the kernel wants of addresses, lengths and offsets (open(2), O_DIRECT): that of the strictest disks. */
export const directAlignment = 4096;

/** Memory that can be written past the page cache. A part of a larger array buffer, which can be moved as a whole. */
export function directBuffer(length: number): Buffer<ArrayBuffer> {
  const whole = Buffer.allocUnsafeSlow(length + directAlignment) as Buffer<ArrayBuffer>;
  const beyond = Number(koffi.address(whole) % BigInt(directAlignment));
  const start = beyond === 0 ? 0 : directAlignment - beyond;
  return whole.subarray(start, start + length);
}

const writeAt = promisify(write);
const readAt = promisify(read);

/**
 * A file that is filled and not read again soon, written past the page cache (O_DIRECT) where the file system can: its
 * pages would push out what containers use, and to fill them costs more processor time than all else that is done with
 * the bytes. Nothing is durable before a sync.
 */
export class DirectFile {
  /** undefined: this file system cannot. */
  #direct: number | undefined;
  /** For what is not aligned. */
  #plain: number | undefined;
  #directFails = false;

  /** @param path an existing file; no symlink. */
  constructor(path: string | Buffer) {
    try {
      this.#direct = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_DIRECT);
    } catch (error) {
      if (errnoOf(error) !== 'EINVAL') throw error;
    }
    this.#plain = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  }

  /** @param bytes the beginning of a directBuffer. @param at a multiple of directAlignment. */
  async write(bytes: Buffer, at: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { fd, length } = this.#way(bytes.length - done);
      try {
        done += (await writeAt(fd, bytes, done, length, at + done)).bytesWritten;
      } catch (error) {
        this.#giveUpDirect(fd, error);
      }
    }
  }

  /** The same at once. */
  writeNow(bytes: Buffer, at: number): void {
    for (let done = 0; done < bytes.length; ) {
      const { fd, length } = this.#way(bytes.length - done);
      try {
        done += writeSync(fd, bytes, done, length, at + done);
      } catch (error) {
        this.#giveUpDirect(fd, error);
      }
    }
  }

  close(): void {
    for (const fd of [this.#direct, this.#plain]) if (fd !== undefined) closeSync(fd);
    this.#direct = undefined;
    this.#plain = undefined;
  }

  /** How the next bytes go: whole pages directly, what is left of the last one not. */
  #way(rest: number): { fd: number; length: number } {
    const whole = rest - (rest % directAlignment);
    return this.#direct === undefined || this.#directFails || whole === 0
      ? { fd: this.#plain!, length: rest }
      : { fd: this.#direct, length: whole };
  }

  /** Some file systems take the flag and then want something else of the memory. Others may still be writing by it. */
  #giveUpDirect(fd: number, error: unknown): void {
    if (fd !== this.#direct || errnoOf(error) !== 'EINVAL') throw error;
    this.#directFails = true;
  }
}

/**
 * Reads what a DirectFile wrote, past the page cache where the file system can. Of other files only what is on the disk
 * already should be read like that: the kernel would write out the rest first.
 */
export class DirectReader {
  /** undefined: this file system cannot. */
  #direct: number | undefined;
  readonly #plain: number;
  #directFails = false;

  /** @param plain a descriptor of the same file, of the caller's, for what is not aligned. */
  constructor(path: string, plain: number) {
    this.#plain = plain;
    try {
      this.#direct = openSync(path, constants.O_RDONLY | constants.O_DIRECT);
    } catch (error) {
      if (errnoOf(error) !== 'EINVAL') throw error;
    }
  }

  /** @param into a directBuffer. @returns how many bytes came; 0 at the end. */
  async read(into: Buffer, length: number, at: number): Promise<number> {
    const whole = length - (length % directAlignment);
    if (this.#direct !== undefined && !this.#directFails && whole > 0 && at % directAlignment === 0) {
      try {
        return (await readAt(this.#direct, into, 0, whole, at)).bytesRead;
      } catch (error) {
        if (errnoOf(error) !== 'EINVAL') throw error;
        this.#directFails = true;
      }
    }
    return (await readAt(this.#plain, into, 0, length, at)).bytesRead;
  }

  close(): void {
    if (this.#direct !== undefined) closeSync(this.#direct);
    this.#direct = undefined;
  }
}
