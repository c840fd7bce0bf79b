import { closeSync } from 'node:fs';
import { SOCK_SEQPACKET } from '../linux/constants.ts';
import { type Poller, pollDescriptor } from '../linux/poll.ts';
import { pidfdOpen } from '../linux/process.ts';
import { connectUnix, PacketReceiver, sendPacket, shutdownWrite } from '../linux/sockets.ts';
import { errnoOf } from '../stdx/errors.ts';

export type OutputStream = 'stdout' | 'stderr';

/** One client of a container's (or exec's) standard streams. With a terminal all output is `stdout`. */
export interface AttachStream {
  /** Set before the first turn of the event loop passes; chunks belong to the receiver. */
  onOutput(listener: (stream: OutputStream, chunk: Buffer) => void): void;
  /** The container's output has ended, or `close` was called. Called once, after the last output. */
  onEnd(listener: () => void): void;
  /** Settles when the monitor has taken all of it; that is the backpressure. Input after the end is dropped. */
  write(chunk: Uint8Array): Promise<void>;
  /** The container reads to the end of its input, if it was created with stdinOnce. */
  closeStdin(): void;
  /** Stops reading: the container blocks once the kernel's buffers (some 200 KB) are full. */
  pause(): void;
  resume(): void;
  close(): void;
}

/**
 * Speaks to the monitor's attach socket: packets out of it are one byte (2 stdout, 3 stderr) and up to 8 KiB of
 * output; packets into it are input, at most 32 KiB - 1 of which the monitor reads. It runs on the main thread: a
 * wake-up takes up to 32 packets with one system call, so a worker would save less than its messages cost.
 *
 * The monitor writes to every client in turn and blocks on a slow one, exit detection included. While a client is
 * paused the first process is therefore watched: once it has ended, what is left (the buffers of two pipes and a
 * socket, less than 1 MB) is read into memory, so that no client can keep a container from ending.
 */
export function openAttachStream(path: string, options: AttachOptions): AttachStream {
  return new MonitorStream(connectUnix(path, SOCK_SEQPACKET), options);
}

export interface AttachOptions {
  /** Host pid of the first process; of an exec that has not started yet: undefined until it has. */
  pid: () => number | undefined;
  /**
   * Closing shall not be taken for the end of input: the connection is kept, and what comes thrown away, until the
   * container ends. For clients without input of a container whose input ends with its client (stdinOnce).
   */
  lingers?: boolean;
}

const STDERR_PACKET = 3;
/** conmon reads 32767 bytes at a time and the rest of a longer packet is lost. */
const MAX_INPUT_BYTES = 32 * 1024 - 1;
const MAX_PACKET_BYTES = 8192 + 1;

let receiver: PacketReceiver | undefined;

class MonitorStream implements AttachStream {
  readonly #fd: number;
  readonly #options: AttachOptions;
  readonly #poller: Poller;
  readonly #input: { bytes: Uint8Array; done: () => void }[] = [];
  /** Output of an ended container that a paused client has not taken yet. */
  readonly #kept: [OutputStream, Buffer][] = [];
  #output: ((stream: OutputStream, chunk: Buffer) => void) | undefined;
  #end: (() => void) | undefined;
  #paused = false;
  #draining = false;
  #closed = false;
  #ended = false;
  #inputEnds = false;
  #stopWatching: (() => void) | undefined;

  constructor(fd: number, options: AttachOptions) {
    this.#fd = fd;
    this.#options = options;
    this.#poller = pollDescriptor(fd, () => this.#ready(), { keepAlive: true });
    this.#watch();
  }

  onOutput(listener: (stream: OutputStream, chunk: Buffer) => void): void {
    this.#output = listener;
  }

  onEnd(listener: () => void): void {
    this.#end = listener;
  }

  write(chunk: Uint8Array): Promise<void> {
    if (this.#closed || this.#inputEnds || chunk.length === 0) return Promise.resolve();
    return new Promise(resolve => {
      for (let start = 0; start < chunk.length; start += MAX_INPUT_BYTES) {
        const bytes = chunk.subarray(start, start + MAX_INPUT_BYTES);
        this.#input.push({ bytes, done: start + MAX_INPUT_BYTES >= chunk.length ? resolve : nothing });
      }
      this.#sendInput();
    });
  }

  closeStdin(): void {
    if (this.#closed || this.#inputEnds) return;
    this.#inputEnds = true;
    this.#sendInput();
  }

  pause(): void {
    if (this.#closed || this.#paused) return;
    this.#paused = true;
    const pid = this.#options.pid();
    if (pid !== undefined) this.#stopWatching ??= onProcessEnd(pid, () => this.#drain());
    this.#watch();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    for (const [stream, chunk] of this.#kept.splice(0)) this.#deliver(stream, chunk);
    if (this.#closed) this.#finish();
    else this.#watch();
  }

  close(): void {
    this.#paused = false;
    this.#kept.length = 0;
    if (this.#options.lingers === true && !this.#closed) {
      this.#output = undefined;
      this.#watch();
    } else {
      this.#shut();
    }
    this.#finish();
  }

  #drain(): void {
    this.#draining = true;
    this.#watch();
  }

  #watch(): void {
    if (this.#closed) return;
    this.#poller.watch({ readable: !this.#paused || this.#draining, writable: this.#input.length > 0 });
  }

  #ready(): void {
    if (this.#input.length > 0) this.#sendInput();
    if (!this.#closed && (!this.#paused || this.#draining)) this.#receive();
  }

  #receive(): void {
    receiver ??= new PacketReceiver(32, MAX_PACKET_BYTES);
    const packets = receivePackets(receiver, this.#fd);
    // One chunk for all packets of a stream that follow each other.
    for (let index = 0; index < packets.length; ) {
      const kind = packets[index]![0];
      if (kind === undefined) {
        this.#endOfOutput();
        return;
      }
      let end = index + 1;
      while (end < packets.length && packets[end]![0] === kind) end++;
      const chunk = Buffer.concat(packets.slice(index, end).map(packet => packet.subarray(1)));
      this.#deliver(kind === STDERR_PACKET ? 'stderr' : 'stdout', chunk);
      index = end;
    }
  }

  #deliver(stream: OutputStream, chunk: Buffer): void {
    if (this.#paused) this.#kept.push([stream, chunk]);
    else this.#output?.(stream, chunk);
  }

  #endOfOutput(): void {
    this.#shut();
    // A paused client gets the rest, and then the end, when it resumes.
    if (!this.#paused) this.#finish();
  }

  #sendInput(): void {
    while (this.#input.length > 0) {
      const { bytes, done } = this.#input[0]!;
      if (!this.#send(bytes)) break;
      this.#input.shift();
      done();
    }
    if (this.#inputEnds && this.#input.length === 0 && !this.#closed) shutdownQuietly(this.#fd);
    this.#watch();
  }

  /** @returns false when the monitor takes no more now. */
  #send(bytes: Uint8Array): boolean {
    try {
      return sendPacket(this.#fd, bytes);
    } catch (error) {
      // The container does not read any more, or is gone: input is dropped, as writing to a closed pipe is.
      if (isDisconnect(error)) return true;
      throw error;
    }
  }

  #shut(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopWatching?.();
    this.#poller.close();
    closeSync(this.#fd);
    for (const { done } of this.#input.splice(0)) done();
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#end?.();
  }
}

function nothing(): void {}

/**
 * The kernel tells of a monitor that has gone with input unread (ECONNRESET) before it hands out what the monitor had
 * written; it tells it once, and then come the packets and the end.
 */
function receivePackets(from: PacketReceiver, fd: number): Buffer[] {
  for (let told = false; ; told = true) {
    try {
      return from.receive(fd);
    } catch (error) {
      if (!isDisconnect(error)) throw error;
      if (told) return [Buffer.alloc(0)];
    }
  }
}

function shutdownQuietly(fd: number): void {
  try {
    shutdownWrite(fd);
  } catch (error) {
    if (!isDisconnect(error)) throw error;
  }
}

function isDisconnect(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE', 'ENOTCONN'].includes(errnoOf(error) ?? '');
}

/** @returns stops waiting. */
export function onProcessEnd(pid: number, ended: () => void): () => void {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(pid);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
    setImmediate(ended);
    return nothing;
  }
  let stopped = false;
  const stop = () => {
    if (stopped) return;
    stopped = true;
    poller.close();
    closeSync(pidfd);
  };
  const poller = pollDescriptor(pidfd, () => {
    stop();
    ended();
  });
  poller.watch({ readable: true });
  return stop;
}
