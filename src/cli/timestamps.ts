import { EngineError } from '../stdx/errors.ts';
import { goDurationOf } from '../stdx/go-duration.ts';

/**
 * `--since` and `--until` as the API takes them: seconds since the epoch, with a fraction.
 * @param text a duration before now (`42m`), a time in RFC 3339 or a shorter form in local time, or seconds
 * @param flag whose value it is, where docker's error says so
 * @throws invalid
 */
export function apiTimestamp(text: string, nowMs: number, flag = ''): string | undefined {
  if (text === '') return undefined;
  const durationNs = goDurationOf(text);
  if (durationNs !== undefined && text !== '0') return seconds(nowMs - durationNs / 1e6);
  if (/^\d+(\.\d+)?$/.test(text)) return text;
  const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(\.\d+)?)?)?)?(Z|[+-]\d\d:\d\d)?$/.exec(
    text,
  );
  if (match === null) throw notATime(text, flag);
  const [, day, hour = '00', minute = '00', second = '00', fraction = '', zone = ''] = match;
  const wholeMs = Date.parse(`${day}T${hour}:${minute}:${second}${zone}`);
  if (Number.isNaN(wholeMs)) throw notATime(text, flag);
  return `${wholeMs / 1000}.${fraction.slice(1).padEnd(9, '0').slice(0, 9)}`;
}

function seconds(ms: number): string {
  const whole = Math.floor(ms / 1000);
  return `${whole}.${String(Math.round((ms - whole * 1000) * 1e6)).padStart(9, '0')}`;
}

function notATime(text: string, flag: string): EngineError {
  const whose = flag === '' ? '' : `invalid value for "${flag}": `;
  return new EngineError(
    'invalid',
    `${whose}failed to parse value as time or duration: ${JSON.stringify(text)}`,
  );
}
