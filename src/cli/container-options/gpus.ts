import type { DeviceRequest } from '../../api/containers.ts';
import { EngineError } from '../../stdx/errors.ts';

/**
 * `all`, a number, or fields like a row of CSV: `"device=0,1",capabilities=compute`. A field in quotes may hold commas.
 * @throws EngineError `invalid`, in docker's words
 */
export function parseGpus(text: string): DeviceRequest {
  const request: DeviceRequest = { Driver: '', Count: 0, DeviceIDs: null, Capabilities: null, Options: {} };
  const capabilities: string[] = [];
  const seen = new Set<string>();
  for (const field of fieldsOf(text)) {
    const equals = field.indexOf('=');
    const key = equals < 0 ? 'count' : field.slice(0, equals);
    const value = field.slice(equals + 1);
    if (seen.has(key))
      throw new EngineError('invalid', `gpu request key '${key}' can be specified only once`);
    seen.add(key);
    if (key === 'driver') request.Driver = value;
    else if (key === 'count') request.Count = countOf(value);
    else if (key === 'device') request.DeviceIDs = value.split(',');
    else if (key === 'capabilities') capabilities.push(...value.split(','));
    else if (key === 'options') Object.assign(request.Options!, optionsOf(value));
    else throw new EngineError('invalid', `unexpected key '${key}' in '${field}'`);
  }
  if (request.Count === 0 && request.DeviceIDs === null) request.Count = 1;
  if (!capabilities.includes('gpu')) capabilities.push('gpu');
  return { ...request, Capabilities: [capabilities] };
}

function fieldsOf(text: string): string[] {
  return [...text.matchAll(/(?:^|,)(?:"([^"]*)"|([^,]*))/g)].map(match => match[1] ?? match[2] ?? '');
}

function countOf(text: string): number {
  if (text === 'all') return -1;
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  throw new EngineError('invalid', `invalid count (${text}): value must be either "all" or an integer`);
}

function optionsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(',').map(option => {
      const [name = '', ...value] = option.split('=');
      return [name, value.join('=')];
    }),
  );
}
