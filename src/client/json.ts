/**
 * JSON with Go's 64-bit integers kept: nanosecond times and unlimited limits are beyond 2^53, and a client that prints
 * them back must not round them. Such numbers become bigints.
 */
export function parseJson(text: string): unknown {
  // The reviver makes parsing many times slower: only for texts that have such a number. Ids have as many digits.
  if (!/[:,[]\s*-?\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, keepIntegers as (key: string, value: unknown) => unknown);
}

function keepIntegers(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context?.source === undefined) return value;
  return /^-?\d+$/.test(context.source) ? BigInt(context.source) : value;
}
