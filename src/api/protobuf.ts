/**
 * Protocol Buffers' encoding (proto3), for message types that are written as tables of their fields:
 *
 *     const range = message({ start: single(1, int32), end: single(2, int32) });
 *     const bytes = range.encode({ start: 3 });
 *     const { start, end } = range.decode(bytes);
 *
 * What is decoded has every field: one that was not sent is its type's zero, and undefined where it is a message.
 * Fields that a table does not know are passed over.
 */
export class MessageType<F extends Fields> {
  readonly #fields: readonly (readonly [string, AnyField])[];
  readonly #byNumber = new Map<number, readonly [string, AnyField]>();

  constructor(fields: F) {
    this.#fields = Object.entries(fields);
    for (const entry of this.#fields) this.#byNumber.set(entry[1].number, entry);
  }

  encode(value: Init<F>): Buffer {
    const writer = new Writer();
    for (const [name, field] of this.#fields) {
      const one: unknown = (value as Record<string, unknown>)[name];
      if (one !== undefined) field.write(writer, one);
    }
    return writer.bytes();
  }

  /** @throws RangeError for what is no such message */
  decode(bytes: Uint8Array): Decoded<F> {
    const reader = new Reader(bytes);
    const result: Record<string, unknown> = {};
    for (const [name, field] of this.#fields) result[name] = field.initial();
    while (!reader.atEnd) {
      const tag = reader.varint();
      const entry = this.#byNumber.get(Math.floor(tag / 8));
      const wireType = tag % 8;
      if (entry === undefined) reader.skip(wireType);
      else result[entry[0]] = entry[1].read(reader, wireType, result[entry[0]]);
    }
    return result as Decoded<F>;
  }
}

/** Of one field: an empty element takes two bytes of a message, but much more once it is decoded. */
const elementLimit = 1 << 18;

function tooMany(): RangeError {
  return new RangeError('protobuf: a field has too many elements');
}

export function message<F extends Fields>(fields: F): MessageType<F> {
  return new MessageType(fields);
}

/** What decode() makes. */
export type MessageOf<M> = M extends MessageType<infer F> ? Decoded<F> : never;
/** What encode() takes. */
export type InitOf<M> = M extends MessageType<infer F> ? Init<F> : never;

export type Fields = Record<string, AnyField>;
export type Decoded<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<infer Out, never> ? Out : never;
};
export type Init<F extends Fields> = {
  [K in keyof F]?: (F[K] extends Field<unknown, infer In> ? In : never) | undefined;
};

export interface Field<out Out, in In> {
  readonly number: number;
  initial(): Out;
  write(writer: Writer, value: In): void;
  read(reader: Reader, wireType: number, before: unknown): Out;
}

// biome-ignore lint/suspicious/noExplicitAny: a field of whatever type
type AnyField = Field<any, any>;

/** How one value is written, without its tag. */
interface Kind<out Out, in In = Out> {
  wireType: 0 | 1 | 2 | 5;
  zero(): Out;
  isZero(value: In): boolean;
  write(writer: Writer, value: In): void;
  read(reader: Reader): Out;
}

/** A field that is there once; its zero is not sent. */
export function single<Out, In>(number: number, kind: Kind<Out, In>): Field<Out, In> {
  return {
    number,
    initial: () => kind.zero(),
    write: (writer, value) => {
      if (!kind.isZero(value)) writeField(writer, number, kind, value);
    },
    read: (reader, wireType) => readField(reader, wireType, kind),
  };
}

/** A message in a field of its own. */
export function nested<F extends Fields>(
  number: number,
  type: MessageType<F>,
): Field<Decoded<F> | undefined, Init<F>> {
  const kind = messageKind(type);
  return {
    number,
    initial: () => undefined,
    write: (writer, value) => writeField(writer, number, kind, value),
    read: (reader, wireType) => readField(reader, wireType, kind),
  };
}

export function repeated<Out, In>(number: number, kind: Kind<Out, In>): Field<Out[], readonly In[]>;
export function repeated<F extends Fields>(
  number: number,
  type: MessageType<F>,
): Field<Decoded<F>[], readonly Init<F>[]>;
// biome-ignore lint/suspicious/noExplicitAny: as the overloads have it
export function repeated(number: number, of: Kind<any, any> | MessageType<any>): AnyField {
  const kind = kindOf(of);
  return {
    number,
    initial: () => [],
    write: (writer, values) => {
      for (const value of values) writeField(writer, number, kind, value);
    },
    read: (reader, wireType, before) => {
      const values = before as unknown[];
      if (values.length >= elementLimit) throw tooMany();
      // Numbers may come packed.
      if (wireType === 2 && kind.wireType !== 2) {
        const packed = new Reader(reader.bytes());
        while (!packed.atEnd) {
          if (values.length >= elementLimit) throw tooMany();
          values.push(kind.read(packed));
        }
      } else values.push(readField(reader, wireType, kind));
      return values;
    },
  };
}

/** A map with names for keys. A Map comes out, as names are the other side's; an object may be given. */
export function mapOf<Out, In>(
  number: number,
  kind: Kind<Out, In>,
): Field<Map<string, Out>, ReadonlyMap<string, In> | Readonly<Record<string, In>>>;
export function mapOf<F extends Fields>(
  number: number,
  type: MessageType<F>,
): Field<Map<string, Decoded<F>>, ReadonlyMap<string, Init<F>> | Readonly<Record<string, Init<F>>>>;
// biome-ignore lint/suspicious/noExplicitAny: as the overloads have it
export function mapOf(number: number, of: Kind<any, any> | MessageType<any>): AnyField {
  const kind = kindOf(of);
  const valueField: AnyField = {
    number: 2,
    initial: () => kind.zero(),
    write: (writer, value) => writeField(writer, 2, kind, value),
    read: (reader, wireType) => readField(reader, wireType, kind),
  };
  const entry = new MessageType({ key: single(1, string), value: valueField });
  const entryKind = messageKind(entry);
  return {
    number,
    initial: () => new Map(),
    write: (writer, values) => {
      const entries = values instanceof Map ? values : Object.entries(values);
      for (const [key, value] of entries) writeField(writer, number, entryKind, { key, value });
    },
    read: (reader, wireType, before) => {
      const values = before as Map<string, unknown>;
      if (values.size >= elementLimit) throw tooMany();
      const { key, value } = readField(reader, wireType, entryKind);
      return values.set(key, value);
    },
  };
}

export const string: Kind<string> = {
  wireType: 2,
  zero: () => '',
  isZero: value => value === '',
  write: (writer, value) => writer.string(value),
  read: reader => reader.string(),
};

/** A view of the message it was in: to be copied by whoever keeps it. */
export const bytes: Kind<Buffer, Uint8Array> = {
  wireType: 2,
  zero: () => Buffer.alloc(0),
  isZero: value => value.length === 0,
  write: (writer, value) => writer.block(value),
  read: reader => reader.bytes(),
};

export const bool: Kind<boolean> = {
  wireType: 0,
  zero: () => false,
  isZero: value => !value,
  write: (writer, value) => writer.varint(value ? 1 : 0),
  read: reader => reader.unsignedVarint() !== 0,
};

/** Also enumerations. */
export const int32: Kind<number> = {
  wireType: 0,
  zero: () => 0,
  isZero: value => value === 0,
  write: (writer, value) => writer.signedVarint(value),
  read: reader => reader.signedVarint(32),
};

export const uint32: Kind<number> = {
  wireType: 0,
  zero: () => 0,
  isZero: value => value === 0,
  write: (writer, value) => writer.varint(value),
  read: reader => reader.unsignedVarint(),
};

/** As a number: sizes, seconds. @throws RangeError for one that a number cannot hold */
export const int64: Kind<number> = {
  wireType: 0,
  zero: () => 0,
  isZero: value => value === 0,
  write: (writer, value) => writer.signedVarint(value),
  read: reader => {
    const value = reader.signedVarint(64);
    if (!Number.isSafeInteger(value)) throw new RangeError('protobuf: the number is too large');
    return value;
  },
};

/** For nanoseconds since 1970, which a number cannot hold. */
export const bigInt64: Kind<bigint> = {
  wireType: 0,
  zero: () => 0n,
  isZero: value => value === 0n,
  write: (writer, value) => writer.bigVarint(BigInt.asUintN(64, value)),
  read: reader => BigInt.asIntN(64, reader.bigVarint()),
};

function kindOf(of: Kind<unknown, unknown> | MessageType<Fields>): Kind<unknown, unknown> {
  return of instanceof MessageType ? (messageKind(of) as Kind<unknown, unknown>) : of;
}

function messageKind<F extends Fields>(type: MessageType<F>): Kind<Decoded<F>, Init<F>> {
  return {
    wireType: 2,
    zero: () => type.decode(new Uint8Array(0)),
    isZero: () => false,
    write: (writer, value) => writer.block(type.encode(value)),
    read: reader => type.decode(reader.bytes()),
  };
}

function writeField<Out, In>(writer: Writer, number: number, kind: Kind<Out, In>, value: In): void {
  writer.varint(number * 8 + kind.wireType);
  kind.write(writer, value);
}

function readField<Out, In>(reader: Reader, wireType: number, kind: Kind<Out, In>): Out {
  if (wireType !== kind.wireType) throw new RangeError(`protobuf: wire type ${wireType} is unexpected`);
  return kind.read(reader);
}

class Writer {
  #buffer = Buffer.allocUnsafe(64);
  #length = 0;

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** @param value a whole number from 0 on */
  varint(value: number): void {
    this.#reserve(10);
    while (value > 0x7f) {
      this.#buffer[this.#length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#buffer[this.#length++] = value;
  }

  signedVarint(value: number): void {
    if (value >= 0) this.varint(value);
    else this.bigVarint(BigInt.asUintN(64, BigInt(value)));
  }

  bigVarint(value: bigint): void {
    this.#reserve(10);
    while (value > 0x7fn) {
      this.#buffer[this.#length++] = Number(value & 0x7fn) | 0x80;
      value >>= 7n;
    }
    this.#buffer[this.#length++] = Number(value);
  }

  block(value: Uint8Array): void {
    this.varint(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  string(value: string): void {
    const sizeBytes = Buffer.byteLength(value);
    this.varint(sizeBytes);
    this.#reserve(sizeBytes);
    this.#length += this.#buffer.write(value, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.bytes());
    this.#buffer = larger;
  }
}

class Reader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(source: Uint8Array) {
    this.#bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  }

  get atEnd(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  /** A tag or a length: what does not fit into 32 bits is an error. */
  varint(): number {
    const small = this.#smallVarint();
    if (small !== undefined) return small;
    const value = this.bigVarint();
    if (value > 0xffffffffn) throw new RangeError('protobuf: the number is too large');
    return Number(value);
  }

  /** As two's complement of so many bits. */
  signedVarint(bits: 32 | 64): number {
    return this.#smallVarint() ?? Number(BigInt.asIntN(bits, this.bigVarint()));
  }

  unsignedVarint(): number {
    return this.#smallVarint() ?? Number(BigInt.asUintN(32, this.bigVarint()));
  }

  bigVarint(): bigint {
    let value = 0n;
    for (let index = 0; index < 10; index++) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte < 0x80) return value;
    }
    throw new RangeError('protobuf: a number has no end');
  }

  /** Numbers of up to 4 bytes, which nearly all are, need no BigInt on their way. undefined: it is larger, or cut off. */
  #smallVarint(): number | undefined {
    let value = 0;
    for (let index = 0; index < 4; index++) {
      const byte = this.#bytes[this.#offset + index];
      if (byte === undefined) return undefined;
      value |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) {
        this.#offset += index + 1;
        return value;
      }
    }
    return undefined;
  }

  bytes(): Buffer {
    return this.#take(this.varint());
  }

  string(): string {
    return this.bytes().toString('utf8');
  }

  skip(wireType: number): void {
    if (wireType === 0) this.bigVarint();
    else if (wireType === 1) this.#take(8);
    else if (wireType === 2) this.bytes();
    else if (wireType === 5) this.#take(4);
    else throw new RangeError(`protobuf: wire type ${wireType} is unknown`);
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw new RangeError('protobuf: the message is cut off');
    this.#offset++;
    return byte;
  }

  #take(sizeBytes: number): Buffer {
    const end = this.#offset + sizeBytes;
    if (end > this.#bytes.length) throw new RangeError('protobuf: the message is cut off');
    const taken = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return taken;
  }
}
