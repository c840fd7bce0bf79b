import { EngineError } from './errors.ts';

const unitNs: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/**
 * Go's time.ParseDuration: `1m30s`, `1.5h`, `-2s`, `0`.
 * @returns nanoseconds
 * @throws EngineError `invalid` in Go's words
 */
export function parseGoDuration(text: string): number {
  const valueNs = goDurationOf(text);
  if (valueNs !== undefined) return valueNs;
  const unitless = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text);
  throw new EngineError('invalid', `time: ${unitless ? 'missing unit in' : 'invalid'} duration "${text}"`);
}

/** As parseGoDuration; undefined when it is no duration. */
export function goDurationOf(text: string): number | undefined {
  const negative = text.startsWith('-');
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return 0;
  const pattern = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  let totalNs = 0;
  while (pattern.lastIndex < body.length) {
    const match = pattern.exec(body);
    if (match === null) return undefined;
    totalNs += Number(match[1]) * unitNs[match[2]!]!;
  }
  if (body === '' || totalNs > 2 ** 63) return undefined;
  return Math.round(negative ? -totalNs : totalNs);
}

/** Go's Duration.String: `30s`, `1m30s`, `1h0m0s`, `1.5ms`. */
export function formatGoDuration(valueNs: number): string {
  if (valueNs === 0) return '0s';
  if (valueNs < 0) return `-${formatGoDuration(-valueNs)}`;
  if (valueNs < 1e3) return `${valueNs}ns`;
  if (valueNs < 1e6) return `${valueNs / 1e3}µs`;
  if (valueNs < 1e9) return `${valueNs / 1e6}ms`;
  const hours = Math.floor(valueNs / 3600e9);
  const minutes = Math.floor((valueNs % 3600e9) / 60e9);
  const seconds = (valueNs % 60e9) / 1e9;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
