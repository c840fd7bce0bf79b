import { EngineError } from '../stdx/errors.ts';
import { decodeName } from './names.ts';

/**
 * Extended headers (POSIX.1-2001, pax): records of `<length> <key>=<value>\n`, the length in decimal and counting
 * itself. Values are bytes and may hold anything, newlines too.
 */
export interface PaxRecord {
  key: string;
  value: Buffer;
}

/** @throws EngineError `invalid` */
export function parsePaxRecords(bytes: Buffer): PaxRecord[] {
  const records: PaxRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = space === -1 || space - at > 10 ? 0 : decimal(bytes.toString('latin1', at, space));
    const end = at + length;
    if (length === 0 || end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a) throw badPax();
    const equals = bytes.indexOf(0x3d, space);
    if (equals === -1 || equals >= end || equals === space + 1) throw badPax();
    records.push({
      key: decodeName(bytes.subarray(space + 1, equals)),
      value: bytes.subarray(equals + 1, end - 1),
    });
    at = end;
  }
  return records;
}

export function encodePaxRecord(key: Buffer, value: Buffer): Buffer {
  const payload = 1 + key.length + 1 + value.length + 1;
  let length = payload + 1;
  // The length counts its own digits; one more digit may make it one digit longer again.
  while (String(length).length + payload !== length) length = String(length).length + payload;
  return Buffer.concat([Buffer.from(`${length} `), key, Buffer.from('='), value, Buffer.from('\n')]);
}

/** `-12.345` seconds as nanoseconds; digits beyond nine are cut. @throws EngineError `invalid` */
export function parsePaxTime(text: string): bigint {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (match === null)
    throw new EngineError('invalid', `invalid tar archive: bad time ${JSON.stringify(text)}`);
  const fraction = (match[3] ?? '').slice(0, 9).padEnd(9, '0');
  const ns = BigInt(match[2]!) * 1_000_000_000n + BigInt(fraction);
  return match[1] === '-' ? -ns : ns;
}

export function formatPaxTime(timeNs: bigint): string {
  const absolute = timeNs < 0n ? -timeNs : timeNs;
  const fraction = String(absolute % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const sign = timeNs < 0n ? '-' : '';
  return `${sign}${absolute / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

/** A whole number of decimal digits, at most 2^53. @throws EngineError `invalid` */
export function decimal(text: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) {
    throw new EngineError('invalid', `invalid tar archive: bad number ${JSON.stringify(text.slice(0, 40))}`);
  }
  return number;
}

function badPax(): EngineError {
  return new EngineError('invalid', 'invalid tar archive: bad extended header');
}
