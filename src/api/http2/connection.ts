import type { Duplex } from 'node:stream';
import {
  defaultFrameBytes,
  defaultWindowBytes,
  frame,
  frameFlag,
  frameHeaderBytes,
  frameType,
  Http2Fault,
  http2Error,
  maxWindowBytes,
  preface,
  setting,
  settingsPayload,
  writeFrameHeader,
} from './frames.ts';
import { encodeHeaders, type Header, HeaderDecoder } from './hpack.ts';
import { Http2Stream, type StreamLine } from './stream.ts';

/** The windows are large, as the other side is on the same machine mostly. */
const connectionWindowBytes = 16 << 20;
const streamWindowBytes = 4 << 20;
/** A call's patterns of files are in its headers, and an error's excerpt of a Dockerfile. */
const maxHeaderBytes = 1 << 20;
const maxStreams = 256;
/** What is sent in one piece at most, and what may wait unsent besides data: answers to questions without end. */
const pieceBytes = 256 * 1024;
const maxUnsentBytes = 64 << 20;

/**
 * One end of HTTP/2 for calls on a connection that nobody else uses: no push, no priorities. Node's own would do, but takes
 * longer to load than most commands run, and makes three objects of each of fifty thousand small frames.
 */
export class Http2Connection {
  readonly #socket: Duplex;
  readonly #isClient: boolean;
  readonly #accept: (stream: Http2Stream) => void;
  readonly #closed = new AbortController();
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, Http2Stream>();
  /** Requests that the other side has no room for yet. */
  readonly #waiting: { stream: Http2Stream; headers: readonly Header[] }[] = [];
  /** Those with data of the piece that has just come. */
  readonly #touched = new Set<Http2Stream>();
  #lastId: number;
  /** Of a server: the highest that came. */
  #lastRemoteId = 0;
  #kept: Buffer | undefined;
  #prefaceBytes: number;
  /** Headers whose frames have not all come. */
  #block: { stream: number; parts: Buffer[]; bytes: number; endStream: boolean } | undefined;
  #isSettled = false;
  // What the other side allows.
  #sendWindowBytes = defaultWindowBytes;
  #initialSendBytes = defaultWindowBytes;
  #frameBytes = defaultFrameBytes;
  /** Before it says so: what RFC 9113 asks of everybody. */
  #maxOpen = 100;
  // What this side allows.
  #receiveWindowBytes = connectionWindowBytes;
  #creditBytes = 0;
  #out: Buffer[] = [];
  #outBytes = 0;
  #isScheduled = false;
  #isBlocked = false;

  /** @param accept takes what the other side asks, when that is a client */
  constructor(socket: Duplex, accept?: (stream: Http2Stream) => void) {
    this.#socket = socket;
    this.#isClient = accept === undefined;
    this.#accept = accept ?? (() => {});
    this.#lastId = -1;
    this.#prefaceBytes = this.#isClient ? 0 : preface.length;
    if (this.#isClient) this.#send(preface);
    const settings: Record<number, number> = {
      [setting.maxConcurrentStreams]: maxStreams,
      [setting.initialWindowSize]: streamWindowBytes,
      [setting.maxHeaderListSize]: maxHeaderBytes,
    };
    if (this.#isClient) settings[setting.enablePush] = 0;
    this.#send(frame(frameType.settings, 0, 0, settingsPayload(settings)));
    this.#allow(0, connectionWindowBytes - defaultWindowBytes);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('drain', () => {
      this.#isBlocked = false;
      this.#pump();
    });
    socket.once('end', () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#end());
    // Whoever took the connection out of an HTTP request may have paused it.
    socket.resume();
    if (socket.destroyed) this.#end();
  }

  /** Aborted when the connection is gone. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** @throws when the connection is gone */
  request(headers: readonly Header[]): Http2Stream {
    if (this.closed.aborted || this.#socket.destroyed) throw new Error('the connection was closed');
    const stream = this.#newStream(false);
    this.#waiting.push({ stream, headers });
    this.#openWaiting();
    return stream;
  }

  close(): void {
    this.#socket.destroy();
  }

  readonly #line: StreamLine = {
    sendHeaders: (stream, headers, last) => this.#sendHeaders(stream.id, headers, last),
    room: streamBytes => {
      if (this.#outBytes >= pieceBytes || this.#isBlocked) return 0;
      return Math.max(0, Math.min(streamBytes, this.#sendWindowBytes, this.#frameBytes));
    },
    sendData: (stream, data, last) => {
      this.#sendWindowBytes -= data.length;
      const header = Buffer.allocUnsafe(frameHeaderBytes);
      writeFrameHeader(header, frameType.data, last ? frameFlag.endStream : 0, stream.id, data.length);
      this.#send(header);
      this.#send(data);
    },
    sendReset: (stream, code) => this.#sendReset(stream.id, code),
    returnCredit: (stream, sizeBytes, toStream) => this.#returnCredit(stream, sizeBytes, toStream),
    closed: stream => {
      if (this.#streams.delete(stream.id)) this.#openWaiting();
      const index = this.#waiting.findIndex(one => one.stream === stream);
      if (index >= 0) this.#waiting.splice(index, 1);
    },
    drained: () => !this.#isBlocked && this.#outBytes < pieceBytes,
  };

  #newStream(isOpen: boolean): Http2Stream {
    const windows = { sendBytes: this.#initialSendBytes, receiveBytes: streamWindowBytes };
    return new Http2Stream(this.#line, windows, { isOpen });
  }

  #openWaiting(): void {
    while (this.#waiting.length > 0 && this.#streams.size < this.#maxOpen && !this.closed.aborted) {
      const { stream, headers } = this.#waiting.shift()!;
      this.#lastId += 2;
      stream.id = this.#lastId;
      stream.sendWindowBytes = this.#initialSendBytes;
      this.#streams.set(stream.id, stream);
      this.#sendHeaders(stream.id, headers, false);
      stream.opened();
    }
  }

  #end(): void {
    this.#closed.abort();
    for (const { stream } of this.#waiting.splice(0)) stream.cut(http2Error.none);
    for (const stream of [...this.#streams.values()]) stream.cut(http2Error.none);
  }

  // Sending

  #sendHeaders(streamId: number, headers: readonly Header[], last: boolean): void {
    const block = encodeHeaders(headers);
    let type: number = frameType.headers;
    let flags: number = last ? frameFlag.endStream : 0;
    for (let at = 0; ; at += this.#frameBytes) {
      const isEnd = at + this.#frameBytes >= block.length;
      if (isEnd) flags |= frameFlag.endHeaders;
      this.#send(frame(type, flags, streamId, block.subarray(at, at + this.#frameBytes)));
      if (isEnd) return;
      type = frameType.continuation;
      flags = 0;
    }
  }

  #sendReset(streamId: number, code: number): void {
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(code);
    this.#send(frame(frameType.reset, 0, streamId, payload));
  }

  #allow(streamId: number, moreBytes: number): void {
    const payload = Buffer.allocUnsafe(4);
    payload.writeUInt32BE(moreBytes);
    this.#send(frame(frameType.windowUpdate, 0, streamId, payload));
  }

  /** What is sent in one turn goes out in one piece. */
  #send(bytes: Buffer): void {
    if (bytes.length === 0 || this.#socket.destroyed) return;
    this.#out.push(bytes);
    this.#outBytes += bytes.length;
    // Streams wait for room; whoever makes this side answer without reading is sent away.
    if (this.#outBytes + this.#socket.writableLength > maxUnsentBytes) this.#socket.destroy();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#flush();
      this.#pump();
    });
  }

  #flush(): void {
    this.#isScheduled = false;
    const bytes = Buffer.concat(this.#out, this.#outBytes);
    this.#out = [];
    this.#outBytes = 0;
    if (!this.#socket.destroyed && !this.#socket.write(bytes)) this.#isBlocked = true;
  }

  #pump(): void {
    if (this.#isBlocked) return;
    for (const stream of [...this.#streams.values()]) stream.pump();
  }

  // Receiving

  #take(chunk: Buffer): void {
    if (this.#socket.destroyed) return;
    try {
      this.#parse(this.#kept === undefined ? chunk : Buffer.concat([this.#kept, chunk]));
    } catch (error) {
      if (!(error instanceof Http2Fault) && !(error instanceof RangeError)) throw error;
      const payload = Buffer.alloc(8);
      payload.writeUInt32BE(this.#lastRemoteId, 0);
      payload.writeUInt32BE(error instanceof Http2Fault ? error.code : http2Error.compression, 4);
      this.#send(frame(frameType.goAway, 0, 0, payload));
      this.#flush();
      this.#socket.destroy();
    }
    for (const stream of this.#touched) stream.wake();
    this.#touched.clear();
  }

  #parse(bytes: Buffer): void {
    let at = 0;
    if (this.#prefaceBytes > 0) {
      if (!bytes.subarray(0, preface.length).equals(preface.subarray(0, bytes.length)))
        throw new Http2Fault(http2Error.protocol, 'the connection does not begin as it should');
      if (bytes.length < preface.length) {
        this.#kept = bytes;
        return;
      }
      at = preface.length;
      this.#prefaceBytes = 0;
    }
    while (bytes.length - at >= frameHeaderBytes) {
      const sizeBytes = bytes.readUIntBE(at, 3);
      if (sizeBytes > defaultFrameBytes) throw new Http2Fault(http2Error.frameSize, 'a frame is too large');
      const end = at + frameHeaderBytes + sizeBytes;
      if (end > bytes.length) break;
      const type = bytes[at + 3]!;
      const flags = bytes[at + 4]!;
      const streamId = bytes.readUInt32BE(at + 5) % 2 ** 31;
      // Most of all frames are these.
      if (type === frameType.data) this.#data(streamId, flags, bytes, at + frameHeaderBytes, end);
      else this.#control(type, flags, streamId, bytes.subarray(at + frameHeaderBytes, end));
      at = end;
    }
    this.#kept = at === bytes.length ? undefined : bytes.subarray(at);
  }

  #data(streamId: number, flags: number, bytes: Buffer, from: number, to: number): void {
    this.#expectFrame(frameType.data, streamId);
    const sizeBytes = to - from;
    this.#receiveWindowBytes -= sizeBytes;
    if (this.#receiveWindowBytes < 0) throw new Http2Fault(http2Error.flowControl, 'more data than allowed');
    const stream = this.#streams.get(streamId);
    if (stream === undefined || stream.remoteEnded) {
      if (stream !== undefined) stream.reset(http2Error.streamClosed);
      else if (!this.#wasOpen(streamId)) throw new Http2Fault(http2Error.protocol, 'data of no stream');
      this.#creditConnection(sizeBytes);
      return;
    }
    const { start, end } = withoutPadding(bytes, flags, from, to);
    if (stream.receiveWindowBytes < sizeBytes) {
      this.#creditConnection(sizeBytes);
      stream.reset(http2Error.flowControl);
      return;
    }
    if (sizeBytes > end - start) {
      stream.receiveWindowBytes -= sizeBytes - (end - start);
      this.#returnCredit(stream, sizeBytes - (end - start), true);
    }
    stream.receive(bytes.subarray(start, end));
    this.#touched.add(stream);
    if ((flags & frameFlag.endStream) !== 0) stream.remoteEnd();
  }

  #control(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.#expectFrame(type, streamId);
    switch (type) {
      case frameType.headers: {
        const { start, end } = withoutPadding(payload, flags, 0, payload.length);
        const skipped = (flags & frameFlag.priority) === 0 ? 0 : 5;
        if (start + skipped > end) throw new Http2Fault(http2Error.frameSize, 'headers are cut off');
        const part = payload.subarray(start + skipped, end);
        this.#block = {
          stream: streamId,
          parts: [part],
          bytes: part.length,
          endStream: (flags & frameFlag.endStream) !== 0,
        };
        if ((flags & frameFlag.endHeaders) !== 0) this.#headers();
        return;
      }
      case frameType.continuation: {
        const block = this.#block!;
        block.parts.push(payload);
        block.bytes += payload.length;
        // Empty ones count as well, or there would be no end.
        if (block.bytes > maxHeaderBytes || block.parts.length > 1024)
          throw new Http2Fault(http2Error.enhanceYourCalm, 'headers are too large');
        if ((flags & frameFlag.endHeaders) !== 0) this.#headers();
        return;
      }
      case frameType.reset:
        requireSize(payload, 4);
        if (!this.#wasOpen(streamId)) throw new Http2Fault(http2Error.protocol, 'a reset of no stream');
        this.#streams.get(streamId)?.cut(payload.readUInt32BE());
        return;
      case frameType.settings:
        this.#settings(flags, payload);
        return;
      case frameType.ping:
        requireSize(payload, 8);
        if ((flags & frameFlag.ack) === 0) this.#send(frame(frameType.ping, frameFlag.ack, 0, payload));
        return;
      case frameType.windowUpdate:
        requireSize(payload, 4);
        this.#windowUpdate(streamId, payload.readUInt32BE() % 2 ** 31);
        return;
      case frameType.push:
        throw new Http2Fault(http2Error.protocol, 'a push that was not allowed');
      default:
      // Priorities, a farewell (what is under way goes on until the connection ends), and what is not known.
    }
  }

  /** Within headers nothing else may come, and the first frame of all is one of settings. */
  #expectFrame(type: number, streamId: number): void {
    if (!this.#isSettled && type !== frameType.settings)
      throw new Http2Fault(http2Error.protocol, 'the settings have to come first');
    const isContinued = type === frameType.continuation && this.#block?.stream === streamId;
    if (!isContinued && (this.#block !== undefined || type === frameType.continuation))
      throw new Http2Fault(http2Error.protocol, 'headers were broken off');
    const ofConnection = type === frameType.settings || type === frameType.ping || type === frameType.goAway;
    if (ofConnection ? streamId !== 0 : streamId === 0 && type <= frameType.push)
      throw new Http2Fault(http2Error.protocol, 'a frame on a stream where it does not belong');
  }

  #headers(): void {
    const { stream: id, parts, endStream } = this.#block!;
    this.#block = undefined;
    const headers = this.#decoder.decode(Buffer.concat(parts), maxHeaderBytes);
    const known = this.#streams.get(id);
    if (known !== undefined) {
      if (known.remoteEnded) {
        known.reset(http2Error.streamClosed);
        return;
      }
      known.headers.push(headers);
      this.#touched.add(known);
      if (endStream) known.remoteEnd();
      return;
    }
    // Of one that was given up here.
    if (this.#wasOpen(id)) return;
    if (this.#isClient || id % 2 === 0) throw new Http2Fault(http2Error.protocol, 'headers of no stream');
    this.#lastRemoteId = id;
    if (this.#streams.size >= maxStreams) {
      this.#sendReset(id, http2Error.refused);
      return;
    }
    const stream = this.#newStream(true);
    stream.id = id;
    stream.headers.push(headers);
    this.#streams.set(id, stream);
    if (endStream) stream.remoteEnd();
    this.#accept(stream);
  }

  #wasOpen(streamId: number): boolean {
    return this.#isClient
      ? streamId % 2 === 1 && streamId <= this.#lastId
      : streamId % 2 === 1 && streamId <= this.#lastRemoteId;
  }

  #settings(flags: number, payload: Buffer): void {
    this.#isSettled = true;
    if ((flags & frameFlag.ack) !== 0) {
      requireSize(payload, 0);
      return;
    }
    if (payload.length % 6 !== 0) throw new Http2Fault(http2Error.frameSize, 'settings are cut off');
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case setting.maxConcurrentStreams:
          this.#maxOpen = value;
          break;
        case setting.initialWindowSize:
          if (value > maxWindowBytes) throw new Http2Fault(http2Error.flowControl, 'a window is too large');
          for (const stream of this.#streams.values())
            stream.sendWindowBytes += value - this.#initialSendBytes;
          this.#initialSendBytes = value;
          break;
        case setting.maxFrameSize:
          if (value < defaultFrameBytes || value >= 2 ** 24)
            throw new Http2Fault(http2Error.protocol, 'frames of such a size are not allowed');
          this.#frameBytes = Math.min(value, pieceBytes);
          break;
        default:
      }
    }
    this.#send(frame(frameType.settings, frameFlag.ack, 0, Buffer.alloc(0)));
    if (this.#isClient) this.#openWaiting();
    this.#pump();
  }

  #windowUpdate(streamId: number, moreBytes: number): void {
    if (streamId === 0) {
      if (moreBytes === 0) throw new Http2Fault(http2Error.protocol, 'a window that does not grow');
      this.#sendWindowBytes += moreBytes;
      if (this.#sendWindowBytes > maxWindowBytes)
        throw new Http2Fault(http2Error.flowControl, 'a window is too large');
      this.#pump();
      return;
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (!this.#wasOpen(streamId)) throw new Http2Fault(http2Error.protocol, 'a window of no stream');
      return;
    }
    stream.sendWindowBytes += moreBytes;
    if (moreBytes === 0) stream.reset(http2Error.protocol);
    else if (stream.sendWindowBytes > maxWindowBytes) stream.reset(http2Error.flowControl);
    else stream.pump();
  }

  /** Windows are opened again when a good part of them was used, not for each frame. */
  #returnCredit(stream: Http2Stream, sizeBytes: number, toStream: boolean): void {
    this.#creditConnection(sizeBytes);
    if (!toStream) return;
    stream.unreturnedBytes += sizeBytes;
    if (stream.unreturnedBytes < streamWindowBytes / 4) return;
    stream.receiveWindowBytes += stream.unreturnedBytes;
    this.#allow(stream.id, stream.unreturnedBytes);
    stream.unreturnedBytes = 0;
  }

  #creditConnection(sizeBytes: number): void {
    this.#creditBytes += sizeBytes;
    if (this.#creditBytes < connectionWindowBytes / 4) return;
    this.#receiveWindowBytes += this.#creditBytes;
    this.#allow(0, this.#creditBytes);
    this.#creditBytes = 0;
  }
}

function withoutPadding(
  bytes: Buffer,
  flags: number,
  from: number,
  to: number,
): { start: number; end: number } {
  if ((flags & frameFlag.padded) === 0) return { start: from, end: to };
  const end = to - bytes[from]!;
  if (from >= to || end < from + 1) throw new Http2Fault(http2Error.protocol, 'a frame is all padding');
  return { start: from + 1, end };
}

function requireSize(payload: Buffer, sizeBytes: number): void {
  if (payload.length !== sizeBytes) throw new Http2Fault(http2Error.frameSize, 'a frame has a wrong size');
}
