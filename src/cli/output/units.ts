import { byteSizeOf } from '../../stdx/byte-size.ts';

/** Numbers for people, as Docker writes them (its go-units package). */

const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];

/** `1.24MB`: powers of 1000, `digits` significant ones. */
export function humanSize(bytes: number, digits = 4): string {
  return scaled(bytes, 1000, decimalUnits, digits);
}

/** `1.5GiB`: powers of 1024. */
export function binarySize(bytes: number): string {
  return scaled(bytes, 1024, binaryUnits, 4);
}

function scaled(size: number, base: number, units: readonly string[], digits: number): string {
  let unit = 0;
  while (size >= base && unit < units.length - 1) {
    size /= base;
    unit++;
  }
  return significant(size, digits) + units[unit];
}

/** Go's %.4g: no trailing zeros, an exponent when there are more digits than asked for. */
export function significant(value: number, digits: number): string {
  if (value === 0) return '0';
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(digits)))));
  if (exponent < -4 || exponent >= digits) {
    const [mantissa = '', power = ''] = value.toExponential(digits - 1).split('e');
    const trimmed = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
    return `${trimmed}e${power[0]}${power.slice(1).padStart(2, '0')}`;
  }
  const fixed = value.toFixed(Math.max(0, digits - 1 - exponent));
  return fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed;
}

/** `512m`, `1.5GiB`, `64kb`: powers of 1024 always, as Docker's memory flags mean them. NaN when it is no size. */
export function parseBytes(text: string): number {
  if (text === '-1') return -1;
  return byteSizeOf(text) ?? Number.NaN;
}

/** `2006-01-02 15:04:05 +0100 CET`, as Go prints a local time. */
export function goLocalTime(ms: number): string {
  const date = new Date(ms);
  const offset = -date.getTimezoneOffset();
  const two = (value: number) => String(Math.trunc(value)).padStart(2, '0');
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}${two(Math.abs(offset) % 60)}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time} ${zone} ${zoneName(date, offset, zone)}`;
}

function zoneName(date: Date, offsetMinutes: number, zone: string): string {
  if (offsetMinutes === 0) return 'UTC';
  const name = /\(([^)]+)\)$/.exec(date.toTimeString())?.[1] ?? '';
  const initials = name
    .split(' ')
    .map(word => word[0])
    .join('');
  return initials.length > 2 ? initials : zone;
}

/** An RFC 3339 time as Go prints times: `2026-11-21 06:01:39.318776021 +0000 UTC`. */
export function goTimestamp(rfc3339: string): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(rfc3339);
  if (match === null) return rfc3339;
  const [, day, time, fraction = '', zone = ''] = match;
  const offset = zone === 'Z' ? '+0000' : zone.replace(':', '');
  return `${day} ${time}${fraction.replace(/0+$/, '').replace(/^\.$/, '')} ${offset} ${offset === '+0000' ? 'UTC' : offset}`;
}
