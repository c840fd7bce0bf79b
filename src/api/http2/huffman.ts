/**
 * HPACK's Huffman code (RFC 7541, appendix B). It is canonical: codes of one length follow each other in the order of
 * their symbols, and those of the next length after them. So the lengths say all.
 */
const lengths = Uint8Array.of(
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  ...[28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  ...[6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  ...[5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  ...[13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  ...[7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  ...[6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  ...[20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  ...[24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  ...[22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  ...[21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  ...[26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  ...[19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  ...[20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  ...[26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  // The end of a string, which is never sent.
  30,
);

const endOfString = 256;
const longest = 30;

/** Of each length: the first code, how many there are, and where their symbols begin in `symbols`. */
interface Table {
  first: Uint32Array;
  count: Uint32Array;
  begin: Uint32Array;
  symbols: Uint16Array;
}

let table: Table | undefined;

function makeTable(): Table {
  const first = new Uint32Array(longest + 1);
  const count = new Uint32Array(longest + 1);
  const begin = new Uint32Array(longest + 1);
  const symbols = new Uint16Array(lengths.length);
  let code = 0;
  let at = 0;
  for (let length = 1; length <= longest; length++) {
    code *= 2;
    first[length] = code;
    begin[length] = at;
    for (const [symbol, one] of lengths.entries()) {
      if (one !== length) continue;
      symbols[at++] = symbol;
      code++;
    }
    count[length] = at - begin[length]!;
  }
  return { first, count, begin, symbols };
}

/** @throws RangeError for what is no such code */
export function decodeHuffman(bytes: Uint8Array): Buffer {
  table ??= makeTable();
  const { first, count, begin, symbols } = table;
  // The shortest code has five bits.
  const decoded = Buffer.allocUnsafe(Math.ceil((bytes.length * 8) / 5));
  let size = 0;
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      length++;
      if (length > longest) throw new RangeError('hpack: no such code');
      const offset = code - first[length]!;
      if (offset < 0 || offset >= count[length]!) continue;
      const symbol = symbols[begin[length]! + offset]!;
      if (symbol === endOfString) throw new RangeError('hpack: the end of a string inside a string');
      decoded[size++] = symbol;
      code = 0;
      length = 0;
    }
  }
  // What is left of the last byte is the beginning of the end of a string: ones.
  if (length > 7 || code !== 2 ** length - 1) throw new RangeError('hpack: a string is padded wrongly');
  return decoded.subarray(0, size);
}
