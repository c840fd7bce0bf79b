/** MessagePack, as much of it as the forward protocol needs to be spoken (github.com/msgpack/msgpack, spec.md). */
export type Packable = string | number | Buffer | EventTime | Packable[] | { [name: string]: Packable };

/** Fluentd's time with nanoseconds, an extension: fixext8, type 0, seconds and nanoseconds. */
export class EventTime {
  readonly ns: bigint;

  constructor(ns: bigint) {
    this.ns = ns;
  }
}

export function pack(value: Packable): Buffer {
  const pieces: Buffer[] = [];
  packInto(value, pieces);
  return Buffer.concat(pieces);
}

function packInto(value: Packable, pieces: Buffer[]): void {
  if (typeof value === 'string') {
    packText(Buffer.from(value), pieces);
  } else if (Buffer.isBuffer(value)) {
    // As text: that is what log lines are taken for, whatever is in them.
    packText(value, pieces);
  } else if (typeof value === 'number') {
    pieces.push(packedNumber(value));
  } else if (value instanceof EventTime) {
    const time = Buffer.from([0xd7, 0x00, 0, 0, 0, 0, 0, 0, 0, 0]);
    time.writeUInt32BE(Number(value.ns / 1_000_000_000n), 2);
    time.writeUInt32BE(Number(value.ns % 1_000_000_000n), 6);
    pieces.push(time);
  } else if (Array.isArray(value)) {
    pieces.push(header(value.length, { fix: 0x90, fixMost: 15, wide: [0xdc, 0xdd] }));
    for (const item of value) packInto(item, pieces);
  } else {
    const entries = Object.entries(value);
    pieces.push(header(entries.length, { fix: 0x80, fixMost: 15, wide: [0xde, 0xdf] }));
    for (const [name, item] of entries) {
      packText(Buffer.from(name), pieces);
      packInto(item, pieces);
    }
  }
}

function packText(text: Buffer, pieces: Buffer[]): void {
  if (text.length > 31 && text.length < 0x100) pieces.push(Buffer.from([0xd9, text.length]));
  else pieces.push(header(text.length, { fix: 0xa0, fixMost: 31, wide: [0xda, 0xdb] }));
  pieces.push(text);
}

function packedNumber(value: number): Buffer {
  if (value >= 0 && value < 0x80) return Buffer.from([value]);
  const packed = Buffer.alloc(9);
  packed[0] = 0xd3;
  packed.writeBigInt64BE(BigInt(value), 1);
  return packed;
}

function header(length: number, codes: { fix: number; fixMost: number; wide: [number, number] }): Buffer {
  if (length <= codes.fixMost) return Buffer.from([codes.fix | length]);
  const packed = Buffer.alloc(length < 0x10000 ? 3 : 5);
  packed[0] = codes.wide[length < 0x10000 ? 0 : 1];
  packed.writeUIntBE(length, 1, packed.length - 1);
  return packed;
}
