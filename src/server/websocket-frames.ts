import { EngineError } from '../stdx/errors.ts';

/**
 * Frames of RFC 6455:
 *
 *     byte 0    FIN, 3 reserved bits, opcode (4 bits)
 *     byte 1    MASK, length (7 bits); 126: two bytes of length follow, 127: eight
 *     4 bytes   the mask, if MASK is set: clients must, servers must not
 *     payload
 */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** One whole message of a server. */
export function encodeWebSocketFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const header = length < 126 ? Buffer.alloc(2) : length < 65536 ? Buffer.alloc(4) : Buffer.alloc(10);
  header[0] = 0x80 | opcode;
  if (length < 126) header[1] = length;
  else if (length < 65536) {
    header[1] = 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 127;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([header, payload]);
}

export interface WebSocketEvents {
  /** A piece of a text or binary message, as it came: where messages begin and end means nothing to a stream. */
  data(chunk: Buffer): void;
  ping(payload: Buffer): void;
  close(payload: Buffer): void;
}

interface Frame {
  opcode: number;
  mask: Buffer;
  /** Of the payload, still to come. */
  leftBytes: number;
  /** Of the payload, seen: where in the mask we are. */
  seenBytes: number;
  /** Of control frames, which are passed on whole. */
  payload: Buffer[];
}

const longestControlBytes = 125;

/** Takes a client's bytes apart. Payload of data is handed on at once, so that no frame is too large. */
export class WebSocketDecoder {
  readonly #events: WebSocketEvents;
  #frame: Frame | undefined;
  #head = Buffer.alloc(0);

  constructor(events: WebSocketEvents) {
    this.#events = events;
  }

  /** @throws EngineError `invalid` when it is no frame of a client; the connection is useless then */
  push(chunk: Buffer): void {
    let rest = chunk;
    for (;;) {
      if (this.#frame === undefined) {
        this.#head = Buffer.concat([this.#head, rest]);
        const headBytes = this.#readHead();
        if (headBytes === undefined) return;
        rest = this.#head.subarray(headBytes);
        this.#head = Buffer.alloc(0);
      }
      const frame = this.#frame!;
      const taken = rest.subarray(0, frame.leftBytes);
      rest = rest.subarray(taken.length);
      this.#takePayload(frame, taken);
      if (frame.leftBytes > 0) return;
      this.#frame = undefined;
      if (rest.length === 0) return;
    }
  }

  /** @returns its size, or undefined while it is not all there */
  #readHead(): number | undefined {
    const head = this.#head;
    if (head.length < 2) return undefined;
    const [first, second] = [head[0]!, head[1]!];
    const opcode = first & 0x0f;
    const isControl = opcode >= opcodes.close;
    const shortLength = second & 0x7f;
    if ((first & 0x70) !== 0) throw new EngineError('invalid', 'reserved bits are set in a websocket frame');
    if ((second & 0x80) === 0) throw new EngineError('invalid', 'a websocket frame of a client has no mask');
    if (isControl && (shortLength > longestControlBytes || (first & 0x80) === 0)) {
      throw new EngineError('invalid', 'a websocket control frame is too long or not whole');
    }
    const lengthBytes = shortLength === 126 ? 2 : shortLength === 127 ? 8 : 0;
    const headBytes = 2 + lengthBytes + 4;
    if (head.length < headBytes) return undefined;
    const leftBytes =
      lengthBytes === 0
        ? shortLength
        : lengthBytes === 2
          ? head.readUInt16BE(2)
          : Number(head.readBigUInt64BE(2));
    const mask = Buffer.from(head.subarray(headBytes - 4, headBytes));
    this.#frame = { opcode, mask, leftBytes, seenBytes: 0, payload: [] };
    return headBytes;
  }

  #takePayload(frame: Frame, masked: Buffer): void {
    const bytes = Buffer.allocUnsafe(masked.length);
    for (let index = 0; index < masked.length; index++) {
      bytes[index] = masked[index]! ^ frame.mask[(frame.seenBytes + index) & 3]!;
    }
    frame.seenBytes += masked.length;
    frame.leftBytes -= masked.length;
    if (frame.opcode < opcodes.close) {
      if (bytes.length > 0) this.#events.data(bytes);
      return;
    }
    frame.payload.push(bytes);
    if (frame.leftBytes > 0) return;
    const payload = Buffer.concat(frame.payload);
    if (frame.opcode === opcodes.close) this.#events.close(payload);
    else if (frame.opcode === opcodes.ping) this.#events.ping(payload);
  }
}
