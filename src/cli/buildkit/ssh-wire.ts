/** SSH's data types (RFC 4251, 5): numbers are big endian, strings have their length before them. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @throws RangeError behind the end */
  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new RangeError('ssh: what was read ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  uint32(): number {
    return this.take(4).readUInt32BE();
  }

  bytes(): Buffer {
    return this.take(this.uint32());
  }

  text(): string {
    return this.bytes().toString('utf8');
  }
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function wireString(value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value as Uint8Array);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** A number that is not negative: no more zeros in front than it takes for the first bit to be one. */
export function mpint(value: Uint8Array): Buffer {
  let first = 0;
  while (first < value.length && value[first] === 0) first++;
  const bytes = value.subarray(first);
  return wireString(bytes.length > 0 && bytes[0]! >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);
}
