/**
 * Text as the inside of a JSON string, byte for byte as dockerd writes it: `<`, `>`, `&`, U+2028 and U+2029 are
 * escaped, control characters are \u00XX but for \n and \r, and a byte that is no UTF-8 is \ufffd.
 */
export function writeEscaped(text: Uint8Array, into: Buffer, at: number): number {
  const end = text.length;
  for (let index = 0; index < end; ) {
    const byte = text[index]!;
    if (byte < 0x80) {
      index++;
      if (plain[byte] === 1) into[at++] = byte;
      else at = writeEscape(byte, into, at);
      continue;
    }
    const length = sequenceLength(text, index);
    if (length === 0) {
      at += into.write('\\ufffd', at, 'latin1');
      index++;
    } else if (
      length === 3 &&
      byte === 0xe2 &&
      text[index + 1] === 0x80 &&
      (text[index + 2]! & 0xfe) === 0xa8
    ) {
      at += into.write(text[index + 2] === 0xa8 ? '\\u2028' : '\\u2029', at, 'latin1');
      index += 3;
    } else {
      for (const last = index + length; index < last; ) into[at++] = text[index++]!;
    }
  }
  return at;
}

/** The most that writeEscaped makes of one byte. */
export const longestEscapeBytes = 6;

const plain = new Uint8Array(0x80);
for (let byte = 0x20; byte < 0x80; byte++) plain[byte] = '\\"<>&'.includes(String.fromCharCode(byte)) ? 0 : 1;

function writeEscape(byte: number, into: Buffer, at: number): number {
  const character = String.fromCharCode(byte);
  if (character === '\\' || character === '"') return at + into.write(`\\${character}`, at, 'latin1');
  if (character === '\n') return at + into.write('\\n', at, 'latin1');
  if (character === '\r') return at + into.write('\\r', at, 'latin1');
  return at + into.write(`\\u00${byte.toString(16).padStart(2, '0')}`, at, 'latin1');
}

/** Bytes of the UTF-8 sequence that starts here; 0 when there is none (RFC 3629, table 3-7 of Unicode). */
function sequenceLength(text: Uint8Array, at: number): number {
  const first = text[at]!;
  const second = text[at + 1] ?? 0;
  const continues = (offset: number) => ((text[at + offset] ?? 0) & 0xc0) === 0x80;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const low = first === 0xe0 ? 0xa0 : 0x80;
    const high = first === 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const low = first === 0xf0 ? 0x90 : 0x80;
    const high = first === 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}
