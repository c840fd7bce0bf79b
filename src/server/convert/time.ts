/** Go's zero time, by which Docker says `never`. */
export const zeroTime = '0001-01-01T00:00:00Z';

/** RFC 3339 as Go writes it: no trailing zeros in the fraction, no fraction when it is 0. @param ms 0: never */
export function goTime(ms: number): string {
  if (ms === 0) return zeroTime;
  return new Date(ms)
    .toISOString()
    .replace(/\.(\d*?)0*Z$/, (_, digits) => (digits === '' ? 'Z' : `.${digits}Z`));
}

/** RFC 3339 with all nine digits of the fraction, as `logs --timestamps` writes it. */
export function fixedTime(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
}

/** Seconds since the epoch, rounded down. */
export function unixSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}
