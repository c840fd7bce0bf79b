import { parseByteSize } from '../../stdx/byte-size.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { LogOptions } from './log-source.ts';

/** Values of log options, read as Go reads them, with Go's words for what cannot be read. */

/** strconv.ParseBool */
export function parseBool(text: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw invalidOption(`strconv.ParseBool: parsing "${text}": invalid syntax`);
}

/** strconv.Atoi; `name` is the function's that Docker uses */
export function parseInteger(text: string, name = 'Atoi'): number {
  const pattern = name === 'ParseUint' ? /^\d+$/ : /^[+-]?\d+$/;
  if (pattern.test(text)) return Number(text);
  throw invalidOption(`strconv.${name}: parsing "${text}": invalid syntax`);
}

export function booleanOption(options: LogOptions, name: string, fallback: boolean): boolean {
  const text = options[name];
  return text === undefined || text === '' ? fallback : parseBool(text);
}

export function sizeOption(options: LogOptions, name: string, fallback: number): number {
  const text = options[name];
  return text === undefined || text === '' ? fallback : parseByteSize(text);
}

export function invalidOption(message: string): EngineError {
  return new EngineError('invalid', message);
}
