import { isUtf8 } from 'node:buffer';

/**
 * File names are bytes; JavaScript's strings are not. A byte that is no UTF-8 becomes the lone surrogate U+DC80 to
 * U+DCFF (as in Python, PEP 383), so every name makes a round trip, and names that are UTF-8 are plain strings.
 */
export function decodeName(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : decodeLossless(bytes);
}

export function encodeName(name: string): Buffer {
  return name.isWellFormed() ? Buffer.from(name, 'utf8') : encodeLossless(name);
}

/** For node:fs and linux/files.ts, which take both. */
export function asPath(name: string): string | Buffer {
  return name.isWellFormed() ? name : encodeLossless(name);
}

function decodeLossless(bytes: Buffer): string {
  let text = '';
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) text += String.fromCharCode(0xdc00 + bytes[at]!);
    else text += bytes.toString('utf8', at, at + length);
    at += Math.max(length, 1);
  }
  return text;
}

/** Bytes of the UTF-8 sequence there; 0 when there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  const length =
    first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  return isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}

function encodeLossless(name: string): Buffer {
  const parts: Buffer[] = [];
  for (const character of name) {
    const code = character.codePointAt(0)!;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character, 'utf8'));
  }
  return Buffer.concat(parts);
}
