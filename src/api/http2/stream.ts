import type { Header } from './hpack.ts';

/** How a stream reaches its connection. */
export interface StreamLine {
  /** Sends headers, and gives the stream its number. @param last nothing follows them */
  sendHeaders(stream: Http2Stream, headers: readonly Header[], last: boolean): void;
  /** How much may be sent now, of a stream whose own window has so much; 0: it will be asked again. */
  room(streamBytes: number): number;
  sendData(stream: Http2Stream, data: Buffer, last: boolean): void;
  sendReset(stream: Http2Stream, code: number): void;
  /** So much was taken of what came. @param toStream whether more may come on the stream itself */
  returnCredit(stream: Http2Stream, sizeBytes: number, toStream: boolean): void;
  /** Whether what was sent last has gone out. */
  drained(): boolean;
  closed(stream: Http2Stream): void;
}

/** One exchange on a connection: headers, bytes and trailers each way. */
export class Http2Stream {
  /** 0 until the connection has begun to send it. */
  id = 0;
  /** Of the other side: first its headers, then its trailers. */
  readonly headers: (readonly Header[])[] = [];
  /** Why it was cut off: a code of HTTP/2. undefined: it came to its end, or has not yet. */
  resetCode: number | undefined;
  /** What may be sent before the other side allows more. */
  sendWindowBytes: number;
  /** What may come before this side allows more. */
  receiveWindowBytes: number;
  /** What was taken of it and not yet allowed again. */
  unreturnedBytes = 0;
  /** When both sides are done, or it was cut off, or the connection has gone. */
  readonly closed: Promise<void>;
  readonly #line: StreamLine;
  readonly #settleClosed: () => void;
  #isClosed = false;
  #isOpen: boolean;
  #localEnd: 'open' | 'ending' | 'ended' = 'open';
  #remoteEnded = false;
  #discards = false;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #wakeReader = () => {};
  readonly #outgoing: Buffer[] = [];
  #trailers: readonly Header[] | undefined;
  #writers: { resolve: () => void; reject: (error: Error) => void }[] = [];

  /** @param isOpen whether it has begun on the connection */
  constructor(
    line: StreamLine,
    windows: { sendBytes: number; receiveBytes: number },
    options: { isOpen: boolean },
  ) {
    this.#line = line;
    this.sendWindowBytes = windows.sendBytes;
    this.receiveWindowBytes = windows.receiveBytes;
    this.#isOpen = options.isOpen;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#settleClosed = resolve;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** This side has nothing more to say. */
  get isEnded(): boolean {
    return this.#localEnd !== 'open' || this.#isClosed;
  }

  get remoteEnded(): boolean {
    return this.#remoteEnded;
  }

  /** The headers of an answer; a request's are the connection's to send. */
  respond(headers: readonly Header[]): void {
    if (!this.isEnded) this.#line.sendHeaders(this, headers, false);
  }

  /** Settles when more can be written. @throws when the stream is gone */
  write(data: Buffer): Promise<void> {
    if (this.isEnded) return Promise.reject(gone());
    this.#outgoing.push(data);
    this.pump();
    if (this.#outgoing.length === 0 && this.#line.drained()) return Promise.resolve();
    return new Promise((resolve, reject) => this.#writers.push({ resolve, reject }));
  }

  /** Nothing more is written. */
  end(trailers?: readonly Header[]): void {
    if (this.isEnded) return;
    this.#localEnd = 'ending';
    this.#trailers = trailers;
    this.pump();
  }

  /** Cuts it off, and throws away what has not been read of it; harmless when it has ended. */
  reset(code: number): void {
    this.discard();
    if (this.#isClosed) return;
    if (this.#isOpen) this.#line.sendReset(this, code);
    this.cut(code);
  }

  /** What comes is not wanted any more. */
  discard(): void {
    this.#discards = true;
    this.#drop();
  }

  /**
   * The bytes of the other side, those together that came together. To be read once.
   * @throws when the stream is cut off before its end
   */
  async *chunks(): AsyncGenerator<Buffer> {
    for (;;) {
      if (this.#received.length > 0) {
        const sizeBytes = this.#receivedBytes;
        const whole = this.#received.length === 1 ? this.#received[0]! : Buffer.concat(this.#received);
        this.#received = [];
        this.#receivedBytes = 0;
        yield whole;
        this.#line.returnCredit(this, sizeBytes, !this.#remoteEnded && !this.#isClosed);
      } else if (this.#remoteEnded) return;
      else if (this.#isClosed) throw gone();
      else await new Promise<void>(resolve => (this.#wakeReader = resolve));
    }
  }

  // What follows is the connection's to call.

  opened(): void {
    this.#isOpen = true;
    this.pump();
  }

  /** Sends what can be sent. */
  pump(): void {
    if (!this.#isOpen || this.#isClosed || this.#localEnd === 'ended') return;
    for (let first = this.#outgoing[0]; first !== undefined; first = this.#outgoing[0]) {
      const room = first.length === 0 ? 0 : this.#line.room(this.sendWindowBytes);
      if (room === 0 && first.length > 0) return;
      const part = first.length <= room ? first : first.subarray(0, room);
      if (part === first) this.#outgoing.shift();
      else this.#outgoing[0] = first.subarray(room);
      this.sendWindowBytes -= part.length;
      const last = this.#localEnd === 'ending' && this.#outgoing.length === 0 && this.#trailers === undefined;
      if (last) this.#localEnd = 'ended';
      if (part.length > 0 || last) this.#line.sendData(this, part, last);
    }
    if (this.#localEnd === 'ending') {
      this.#localEnd = 'ended';
      if (this.#trailers === undefined) this.#line.sendData(this, nothing, true);
      else this.#line.sendHeaders(this, this.#trailers, true);
    }
    if (this.#line.drained()) for (const { resolve } of this.#writers.splice(0)) resolve();
    this.#closeWhenDone();
  }

  receive(data: Buffer): void {
    if (data.length === 0) return;
    this.receiveWindowBytes -= data.length;
    this.#received.push(data);
    this.#receivedBytes += data.length;
    if (this.#discards) this.#drop();
  }

  /** What came in one go is there. */
  wake(): void {
    this.#wakeReader();
  }

  remoteEnd(): void {
    this.#remoteEnded = true;
    this.#wakeReader();
    this.#closeWhenDone();
  }

  /** By the other side, or as the connection has gone. */
  cut(code: number): void {
    if (this.#isClosed) return;
    this.resetCode = code;
    this.#close();
  }

  #drop(): void {
    const sizeBytes = this.#receivedBytes;
    this.#received = [];
    this.#receivedBytes = 0;
    if (sizeBytes > 0) this.#line.returnCredit(this, sizeBytes, !this.#remoteEnded && !this.#isClosed);
  }

  #closeWhenDone(): void {
    if (this.#remoteEnded && this.#localEnd === 'ended' && !this.#isClosed) this.#close();
  }

  #close(): void {
    this.#isClosed = true;
    this.#outgoing.length = 0;
    for (const { resolve, reject } of this.#writers.splice(0)) {
      if (this.resetCode === undefined) resolve();
      else reject(gone());
    }
    this.#line.closed(this);
    this.#settleClosed();
    this.#wakeReader();
  }
}

const nothing = Buffer.alloc(0);

function gone(): Error {
  return new Error('the other side of the call is gone');
}
