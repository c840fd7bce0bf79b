import { closeSync, writeSync } from 'node:fs';
import { type Poller, pollDescriptor } from '../linux/poll.ts';
import { readAvailable } from '../linux/spawn.ts';
import { errnoOf } from '../stdx/errors.ts';
import type { AttachStream, OutputStream } from './attach.ts';

/** Our ends of a program's pipes, non-blocking. They belong to the PipeStream, which closes them. */
export interface PipeEnds {
  /** undefined: the program has no input. */
  stdinFd: number | undefined;
  stdoutFd: number;
  stderrFd: number;
}

/** One read: what a pipe holds at most, unless somebody enlarged it. */
const READ_BYTES = 64 << 10;

/** The streams of a program whose pipes the daemon holds itself. Its one client is the one that started it. */
export class PipeStream implements AttachStream {
  readonly #input: InputPipe | undefined;
  readonly #outputs: OutputPipe[];
  #output: ((stream: OutputStream, chunk: Buffer) => void) | undefined;
  #end: (() => void) | undefined;
  #left = false;
  #finished = false;

  constructor({ stdinFd, stdoutFd, stderrFd }: PipeEnds) {
    this.#input = stdinFd === undefined ? undefined : new InputPipe(stdinFd);
    const pipe = (stream: OutputStream, fd: number) =>
      new OutputPipe(fd, {
        deliver: chunk => this.#output?.(stream, chunk),
        ended: () => this.#outputEnded(),
      });
    this.#outputs = [pipe('stdout', stdoutFd), pipe('stderr', stderrFd)];
  }

  onOutput(listener: (stream: OutputStream, chunk: Buffer) => void): void {
    this.#output = listener;
  }

  onEnd(listener: () => void): void {
    this.#end = listener;
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#input?.write(chunk) ?? Promise.resolve();
  }

  closeStdin(): void {
    this.#input?.end();
  }

  pause(): void {
    for (const output of this.#outputs) output.pause(true);
  }

  resume(): void {
    for (const output of this.#outputs) output.pause(false);
  }

  /** The client leaves. The program goes on: its input has ended, and its output is thrown away. */
  close(): void {
    this.#left = true;
    this.#output = undefined;
    this.closeStdin();
    this.resume();
    this.#finish();
  }

  /**
   * The program has ended. What it wrote is in the pipes and is delivered as the client takes it; what processes it
   * left behind write later is not waited for.
   */
  programEnded(): void {
    this.#input?.destroy();
    for (const output of this.#outputs) output.writerEnded();
  }

  /** It was never started: everything is closed. */
  destroy(): void {
    this.#input?.destroy();
    for (const output of this.#outputs) output.destroy();
  }

  #outputEnded(): void {
    if (!this.#left && this.#outputs.every(output => output.ended)) this.#finish();
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#end?.();
  }
}

class OutputPipe {
  ended = false;
  readonly #fd: number;
  readonly #listener: { deliver(chunk: Buffer): void; ended(): void };
  readonly #poller: Poller;
  #paused = false;
  #writerEnded = false;

  constructor(fd: number, listener: { deliver(chunk: Buffer): void; ended(): void }) {
    this.#fd = fd;
    this.#listener = listener;
    this.#poller = pollDescriptor(fd, () => this.#read(), { keepAlive: true });
    this.#poller.watch({ readable: true });
  }

  pause(paused: boolean): void {
    if (this.#paused === paused) return;
    this.#paused = paused;
    this.#goOn();
  }

  writerEnded(): void {
    this.#writerEnded = true;
    this.#goOn();
  }

  destroy(): void {
    if (this.ended) return;
    this.ended = true;
    this.#poller.close();
    closeSync(this.#fd);
  }

  #goOn(): void {
    if (this.ended) return;
    if (this.#writerEnded && !this.#paused) this.#readRest();
    else this.#poller.watch({ readable: !this.#paused && !this.#writerEnded });
  }

  #read(): void {
    if (!this.ended && !this.#paused && !this.#writerEnded) this.#readOnce();
  }

  /** Until the pipe is empty. Whoever still writes into it cannot keep us here: a pipe's worth is the most there was. */
  #readRest(): void {
    this.#poller.watch({});
    for (let sizeBytes = 0; sizeBytes < READ_BYTES && !this.#paused && !this.ended; ) {
      const size = this.#readOnce();
      if (size === undefined) break;
      sizeBytes += size;
    }
    if (this.#paused || this.ended) return;
    this.#finish();
  }

  /** @returns undefined when there was nothing. */
  #readOnce(): number | undefined {
    const chunk = readAvailable(this.#fd, Buffer.allocUnsafe(READ_BYTES));
    if (chunk === undefined) return undefined;
    if (chunk.length === 0) this.#finish();
    else this.#listener.deliver(chunk);
    return chunk.length;
  }

  #finish(): void {
    if (this.ended) return;
    this.destroy();
    this.#listener.ended();
  }
}

class InputPipe {
  readonly #fd: number;
  readonly #poller: Poller;
  readonly #chunks: { bytes: Uint8Array; done: () => void }[] = [];
  #ends = false;
  #closed = false;

  constructor(fd: number) {
    this.#fd = fd;
    this.#poller = pollDescriptor(fd, () => this.#send(), { keepAlive: true });
  }

  /** Settles when the pipe has taken all of it, or nobody reads any more. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#ends || this.#closed || bytes.length === 0) return Promise.resolve();
    return new Promise(done => {
      this.#chunks.push({ bytes, done });
      this.#send();
    });
  }

  end(): void {
    this.#ends = true;
    this.#send();
  }

  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poller.close();
    closeSync(this.#fd);
    for (const { done } of this.#chunks.splice(0)) done();
  }

  #send(): void {
    if (this.#closed) return;
    try {
      this.#sendAvailable();
    } catch (error) {
      if (errnoOf(error) !== 'EPIPE') throw error;
      this.destroy();
      return;
    }
    if (this.#chunks.length === 0 && this.#ends) this.destroy();
    else this.#poller.watch({ writable: this.#chunks.length > 0 });
  }

  #sendAvailable(): void {
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const sizeBytes = writeAvailable(this.#fd, chunk.bytes);
      if (sizeBytes < chunk.bytes.length) {
        chunk.bytes = chunk.bytes.subarray(sizeBytes);
        return;
      }
      this.#chunks.shift();
      chunk.done();
    }
  }
}

/** @returns how much a non-blocking descriptor took. */
function writeAvailable(fd: number, bytes: Uint8Array): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return 0;
    throw error;
  }
}
