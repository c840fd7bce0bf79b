/** A number as written in a template, with the type Go gives it. */
export type GoNumber =
  | { kind: 'int'; value: number | bigint }
  | { kind: 'float'; value: number }
  | { kind: 'complex'; real: number; imaginary: number }
  /** Beyond int: an error once it is used. */
  | { kind: 'overflow' };

const maxInt = 2n ** 63n - 1n;
const maxUint = 2n ** 64n - 1n;

/** @throws Error in Go's words */
export function parseNumber(text: string): GoNumber {
  if (text.endsWith('i')) return parseComplex(text);
  const integer = parseInteger(text);
  if (integer !== undefined) {
    if (integer > maxUint || integer < -maxInt - 1n)
      throw new Error(`integer overflow: ${JSON.stringify(text)}`);
    return integer > maxInt ? { kind: 'overflow' } : { kind: 'int', value: narrow(integer) };
  }
  const float = parseFloat64(text);
  if (float === undefined) throw new Error(`illegal number syntax: ${JSON.stringify(text)}`);
  if (!/[.eEpP]/.test(text)) throw new Error(`integer overflow: ${JSON.stringify(text)}`);
  return { kind: 'float', value: float };
}

/** Small integers are numbers, the others bigints. */
export function narrow(value: bigint): number | bigint {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

function parseInteger(text: string): bigint | undefined {
  const [, sign = '', digits = ''] = /^([+-]?)(.*)$/.exec(text)!;
  const plain = digits.replaceAll('_', '');
  if (!/^(0[xX][\da-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)$/.test(plain)) return undefined;
  const value = BigInt(plain.replace(/^0(?=\d)/, '0o').replace(/^0O/, '0o'));
  return sign === '-' ? -value : value;
}

function parseFloat64(text: string): number | undefined {
  const plain = text.replaceAll('_', '');
  const hex = /^([+-]?)0[xX]([\da-fA-F]*)(?:\.([\da-fA-F]*))?[pP]([+-]?\d+)$/.exec(plain);
  if (hex !== null) {
    const [, sign, whole = '', fraction = '', exponent] = hex;
    const mantissa = Number.parseInt(whole + fraction, 16) / 16 ** fraction.length;
    return (sign === '-' ? -1 : 1) * mantissa * 2 ** Number(exponent);
  }
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(plain) ? Number(plain) : undefined;
}

function parseComplex(text: string): GoNumber {
  const [, real = '', imaginary = ''] = /^(.*?)([+-]?[^+-]*(?:[eEpP][+-]?\d+)?)i$/.exec(text)!;
  const parts = [real === '' ? 0 : parseFloat64(real), parseFloat64(imaginary)];
  if (parts.includes(undefined)) throw new Error(`illegal number syntax: ${JSON.stringify(text)}`);
  return { kind: 'complex', real: parts[0]!, imaginary: parts[1]! };
}
