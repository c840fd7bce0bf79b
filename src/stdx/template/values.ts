/**
 * How JavaScript values stand for Go's in templates: arrays are slices, plain objects are maps (or structs, when the
 * caller says so), null is nil. An object with `goType` is a struct of that name, whose functions are its methods.
 */
export const goType: unique symbol = Symbol('the name of the Go type this stands for');

/** A struct: fields by name; functions are methods, called with the arguments given in the template. */
export interface TemplateStruct {
  readonly [goType]: string;
  readonly [name: string]: unknown;
}

export function isStruct(value: unknown): value is TemplateStruct {
  return typeof value === 'object' && value !== null && goType in value;
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isStruct(value);
}

/** Go's truth: nothing empty is true. */
export function isTrue(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return false;
  if (value === 0 || value === 0n) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return true;
}

/** As Go's fmt prints with %v. */
export function format(value: unknown, structs?: WeakSet<object>): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(item => format(item, structs)).join(' ')}]`;
  if (typeof value === 'number') return formatNumber(value);
  if (typeof value !== 'object') return String(value);
  if (isStruct(value))
    return `{${plainFields(value)
      .map(name => format(value[name], structs))
      .join(' ')}}`;
  const map = value as Record<string, unknown>;
  if (structs?.has(value))
    return `{${Object.values(map)
      .map(item => format(item, structs))
      .join(' ')}}`;
  const entries = Object.keys(map).sort(byBytes);
  return `map[${entries.map(key => `${key}:${format(map[key], structs)}`).join(' ')}]`;
}

function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value);
  const [, mantissa = '', exponent] = /^([^e]+)(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  return exponent === undefined
    ? mantissa
    : `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}

/** As Docker's `json` function does: no HTML escapes; structs sorted by name, methods without arguments called. */
export function toJson(value: unknown, indent?: string): string {
  const text = JSON.stringify(
    value,
    (_key, item: unknown) => {
      if (typeof item === 'bigint') return rawJson(String(item));
      if (!isStruct(item)) return item;
      return Object.fromEntries(
        plainFields(item)
          .sort(byBytes)
          .map(name => [name, fieldValue(item, name)]),
      );
    },
    indent,
  );
  if (text === undefined) return 'null';
  // Docker's rows marshal themselves with Go's defaults, which escape for HTML; plain objects are written as they are.
  return isStruct(value) ? text.replace(/[<>&\u2028\u2029]/g, unicodeEscape) : text;
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

// In Node since 21, not yet in TypeScript's library.
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

function plainFields(struct: TemplateStruct): string[] {
  return Object.keys(struct).filter(name => {
    const value = struct[name];
    return typeof value !== 'function' || value.length === 0;
  });
}

function fieldValue(struct: TemplateStruct, name: string): unknown {
  const value = struct[name];
  return typeof value === 'function' ? value.call(struct) : value;
}

/** The order of Go's maps: by UTF-8 bytes, which for these keys is by code unit. */
export function byBytes(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
