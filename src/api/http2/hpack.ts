/** Headers of HTTP/2 (RFC 7541): each a name and a value, in bytes that are read as latin1. */
import { decodeHuffman } from './huffman.ts';

export type Header = readonly [name: string, value: string];

const staticTable: readonly Header[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** What both sides begin with; this side never allows more. */
const tableBytes = 4096;
/** What an entry counts beside its name and value. */
const entryBytes = 32;

/** One direction of one connection: later blocks refer to what was in earlier ones. */
export class HeaderDecoder {
  /** The newest first. */
  readonly #dynamic: Header[] = [];
  #usedBytes = 0;
  #limitBytes = tableBytes;

  /** @throws RangeError for what is no such block, or has more than so many bytes of names and values */
  decode(block: Uint8Array, limitBytes: number): Header[] {
    const headers: Header[] = [];
    let sizeBytes = 0;
    const reader = new BlockReader(block);
    while (!reader.atEnd) {
      const header = this.#next(reader);
      if (header === undefined) continue;
      sizeBytes += header[0].length + header[1].length + entryBytes;
      if (sizeBytes > limitBytes) throw new RangeError('hpack: too many headers');
      headers.push(header);
    }
    return headers;
  }

  #next(reader: BlockReader): Header | undefined {
    const kind = reader.peek();
    if (kind >= 0x80) return this.#entry(reader.integer(7));
    if (kind >= 0x40) {
      const header = this.#literal(reader, 6);
      this.#add(header);
      return header;
    }
    if (kind >= 0x20) {
      const limitBytes = reader.integer(5);
      if (limitBytes > tableBytes) throw new RangeError('hpack: the table is too large');
      this.#limitBytes = limitBytes;
      this.#shrink();
      return undefined;
    }
    return this.#literal(reader, 4);
  }

  #literal(reader: BlockReader, prefixBits: number): Header {
    const index = reader.integer(prefixBits);
    const name = index === 0 ? reader.string() : this.#entry(index)[0];
    return [name, reader.string()];
  }

  #entry(index: number): Header {
    const entry =
      index <= staticTable.length ? staticTable[index - 1] : this.#dynamic[index - staticTable.length - 1];
    if (entry === undefined) throw new RangeError('hpack: no such entry');
    return entry;
  }

  #add(header: Header): void {
    this.#dynamic.unshift(header);
    this.#usedBytes += header[0].length + header[1].length + entryBytes;
    this.#shrink();
  }

  #shrink(): void {
    while (this.#usedBytes > this.#limitBytes) {
      const [name, value] = this.#dynamic.pop()!;
      this.#usedBytes -= name.length + value.length + entryBytes;
    }
  }
}

/** Without Huffman's code and without a table that the other side would have to keep: a call has few headers. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of headers) {
    const whole = staticTable.findIndex(entry => entry[0] === name && entry[1] === value);
    if (whole >= 0) {
      parts.push(encodeInteger(whole + 1, 7, 0x80));
      continue;
    }
    const known = staticTable.findIndex(entry => entry[0] === name);
    parts.push(encodeInteger(known + 1, 4, 0));
    if (known < 0) parts.push(...encodeString(name));
    parts.push(...encodeString(value));
  }
  return Buffer.concat(parts);
}

function encodeString(text: string): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  return [encodeInteger(bytes.length, 7, 0), bytes];
}

/** @param kind the bits before the prefix */
function encodeInteger(value: number, prefixBits: number, kind: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.of(kind | value);
  const bytes = [kind | most];
  let rest = value - most;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

class BlockReader {
  readonly #block: Uint8Array;
  #at = 0;

  constructor(block: Uint8Array) {
    this.#block = block;
  }

  get atEnd(): boolean {
    return this.#at >= this.#block.length;
  }

  peek(): number {
    return this.#block[this.#at]!;
  }

  integer(prefixBits: number): number {
    const most = 2 ** prefixBits - 1;
    let value = this.#byte() & most;
    if (value < most) return value;
    // Four more bytes: 28 bits are enough for all that is taken.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('hpack: a number is too large');
  }

  string(): string {
    const isCoded = this.peek() >= 0x80;
    const sizeBytes = this.integer(7);
    if (this.#at + sizeBytes > this.#block.length) throw new RangeError('hpack: a string is cut off');
    const bytes = this.#block.subarray(this.#at, this.#at + sizeBytes);
    this.#at += sizeBytes;
    if (isCoded) return decodeHuffman(bytes).toString('latin1');
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  }

  #byte(): number {
    const byte = this.#block[this.#at++];
    if (byte === undefined) throw new RangeError('hpack: the block is cut off');
    return byte;
  }
}
