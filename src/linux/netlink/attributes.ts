/**
 * Netlink attributes (linux/netlink.h, struct nlattr), in host byte order, each padded to four bytes:
 *
 *     0         2         4                      length     (+0..3)
 *     +---------+---------+----------------------+----------+
 *     | length  | type    | value                | padding  |
 *     +---------+---------+----------------------+----------+
 *
 * `length` counts header and value, not the padding. The upper two bits of `type` are flags: 0x8000 the value is
 * attributes again (nested), 0x4000 the value is in network byte order. All machines Node 26 runs on with Linux
 * that Gantry supports (x86-64, arm64) are little endian.
 */
export type Attribute = Buffer;

const nestedFlag = 0x8000;
const typeMask = 0x3fff;
const headerBytes = 4;

export function attribute(type: number, value: Uint8Array): Attribute {
  const length = headerBytes + value.length;
  const whole = Buffer.alloc(align(length));
  whole.writeUInt16LE(length, 0);
  whole.writeUInt16LE(type, 2);
  whole.set(value, headerBytes);
  return whole;
}

export function nested(type: number, ...children: Uint8Array[]): Attribute {
  return attribute(type | nestedFlag, Buffer.concat(children));
}

/** Text with the closing zero byte the kernel expects. */
export function text(type: number, value: string): Attribute {
  return attribute(type, Buffer.from(`${value}\0`));
}

export function u8(type: number, value: number): Attribute {
  return attribute(type, Uint8Array.of(value));
}

export function u16(type: number, value: number): Attribute {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return attribute(type, bytes);
}

export function u32(type: number, value: number): Attribute {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return attribute(type, bytes);
}

/** Presence is the value. */
export function flag(type: number): Attribute {
  return attribute(type, new Uint8Array(0));
}

/**
 * Reads a run of attributes; the values are views, not copies. The last of several with the same type wins.
 * Bytes after the last whole attribute are ignored, as the kernel's own parser does.
 */
export function parseAttributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  let offset = 0;
  while (offset + headerBytes <= bytes.length) {
    const length = bytes.readUInt16LE(offset);
    if (length < headerBytes || offset + length > bytes.length) break;
    found.set(
      bytes.readUInt16LE(offset + 2) & typeMask,
      bytes.subarray(offset + headerBytes, offset + length),
    );
    offset += align(length);
  }
  return found;
}

/** Text without its closing zero byte. */
export function readText(value: Buffer): string {
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end === -1 ? value.length : end);
}

export function align(length: number): number {
  return (length + 3) & ~3;
}
