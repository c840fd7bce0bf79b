import { EngineError } from '../stdx/errors.ts';

/**
 * A numeric field: octal digits with spaces and zeros around, or (GNU) big-endian two's complement with the top bit
 * of the first byte set.
 * @throws EngineError `invalid`
 */
export function parseNumber(block: Buffer, [at, length]: readonly [number, number], what: string): number {
  if ((block[at]! & 0x80) !== 0) return parseBinary(block, at, length, what);
  let end = at + length;
  let start = at;
  while (start < end && isFiller(block[start]!)) start++;
  while (end > start && isFiller(block[end - 1]!)) end--;
  let number = 0;
  for (let index = start; index < end; index++) {
    const digit = block[index]! - 0x30;
    if (digit >= 0 && digit <= 7) number = number * 8 + digit;
    // Some writers leave rubbish after the terminating zero; what stands before it counts.
    else if (isFiller(block[index]!)) break;
    else throw badNumber(what);
  }
  return number;
}

/** Octal with a zero at the end where it fits, GNU's binary form otherwise. */
export function writeNumber(block: Buffer, [at, length]: readonly [number, number], number: number): void {
  if (fitsOctal(number, length)) {
    block.write(number.toString(8).padStart(length - 1, '0'), at, length - 1, 'latin1');
    return;
  }
  let rest = BigInt(number);
  for (let index = at + length - 1; index > at; index--) {
    block[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[at] = number < 0 ? 0xff : 0x80;
}

export function fitsOctal(number: number, length: number): boolean {
  return number >= 0 && number < 8 ** (length - 1);
}

function parseBinary(block: Buffer, at: number, length: number, what: string): number {
  const negative = (block[at]! & 0x40) !== 0;
  let number = BigInt(negative ? block[at]! | ~0xff : block[at]! & 0x7f);
  for (let index = at + 1; index < at + length; index++) number = number * 256n + BigInt(block[index]!);
  if (number > BigInt(Number.MAX_SAFE_INTEGER) || number < BigInt(Number.MIN_SAFE_INTEGER))
    throw badNumber(what);
  return Number(number);
}

function isFiller(byte: number): boolean {
  return byte === 0x20 || byte === 0;
}

function badNumber(what: string): EngineError {
  return new EngineError('invalid', `invalid tar archive: bad ${what} in a header`);
}
