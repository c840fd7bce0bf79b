/**
 * What follows each other on a connection of HTTP/2 (RFC 9113):
 *
 *      0         3      4       5          9 ...
 *     +---------+------+-------+-----------+---------
 *     | length  | type | flags | stream id | payload
 *     +---------+------+-------+-----------+---------
 */
export const frameHeaderBytes = 9;

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const frameFlag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const http2Error = {
  none: 0,
  protocol: 1,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

export const setting = {
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

/** What a client begins with. */
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** What both sides may send before they have heard of more. */
export const defaultFrameBytes = 16_384;
export const defaultWindowBytes = 65_535;
export const maxWindowBytes = 2 ** 31 - 1;

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + payload.length);
  writeFrameHeader(bytes, type, flags, streamId, payload.length);
  bytes.set(payload, frameHeaderBytes);
  return bytes;
}

export function writeFrameHeader(
  bytes: Buffer,
  type: number,
  flags: number,
  streamId: number,
  sizeBytes: number,
): void {
  bytes.writeUIntBE(sizeBytes, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(streamId, 5);
}

export function settingsPayload(values: Readonly<Record<number, number>>): Buffer {
  const entries = Object.entries(values);
  const payload = Buffer.allocUnsafe(entries.length * 6);
  for (const [index, [id, value]] of entries.entries()) {
    payload.writeUInt16BE(Number(id), index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return payload;
}

/** Ends the connection, and says why. */
export class Http2Fault extends Error {
  override readonly name = 'Http2Fault';
  readonly code: number;

  constructor(code: number, message: string) {
    super(`HTTP/2: ${message}`);
    this.code = code;
  }
}
