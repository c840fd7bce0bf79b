import { EngineError } from './errors.ts';

const powers: Record<string, number> = { k: 1, m: 2, g: 3, t: 4, p: 5 };

/**
 * `10m`, `1.5GiB`, `512kb`, `100`: bytes in powers of 1024, as Docker's flags take them (go-units RAMInBytes).
 * @throws EngineError invalid
 */
export function parseByteSize(text: string): number {
  const bytes = byteSizeOf(text);
  if (bytes === undefined) throw new EngineError('invalid', `invalid size: '${text}'`);
  return bytes;
}

/** As parseByteSize; undefined when it is no size. */
export function byteSizeOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?|\.\d+) ?(?:b|([kmgtp])(?:i?b)?)?$/i.exec(text);
  if (match === null) return undefined;
  return Math.floor(Number(match[1]) * 1024 ** (powers[match[2]?.toLowerCase() ?? ''] ?? 0));
}
