import { FlagFault } from './faults.ts';

/** Fields between commas; one in double quotes may hold commas, `""` in it is a quote (RFC 4180). */
export function splitFields(text: string): string[] {
  const fields: string[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^,"]*))(,|$)/y;
  for (;;) {
    const match = pattern.exec(text);
    if (match === null) throw new FlagFault(`parse error: bare " in ${JSON.stringify(text)}`);
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (match[3] === '') return fields;
  }
}

/** `type=local,dest=out`: keys in lower case. @throws EngineError `invalid` in buildx's words */
export function readAttributes(fields: readonly string[]): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const field of fields) {
    const equals = field.indexOf('=');
    if (equals < 0) throw new FlagFault(`invalid value ${field}`);
    attributes[field.slice(0, equals).trim().toLowerCase()] = field.slice(equals + 1);
  }
  return attributes;
}
