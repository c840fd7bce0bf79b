import { EngineError } from '../stdx/errors.ts';

/** `--filter key=value`, any number of times. @throws invalid, in Docker's words */
export function parseFilters(texts: readonly string[]): Map<string, string[]> {
  const filters = new Map<string, string[]>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    if (equals === -1) throw new EngineError('invalid', `invalid filter '${text}'`);
    const key = text.slice(0, equals).trim().toLowerCase();
    filters.set(key, [...(filters.get(key) ?? []), text.slice(equals + 1).trim()]);
  }
  return filters;
}
