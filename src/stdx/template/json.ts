import { bare, byBytes, entriesOf, isStruct, itemsOf, kindOf, type TemplateStruct, Typed } from './values.ts';

/** As Docker's `json` function does: no HTML escapes; structs sorted by name, methods without arguments called. */
export function toJson(value: unknown, indent?: string): string {
  const text = JSON.stringify(plain(value), undefined, indent) ?? 'null';
  // Docker's rows marshal themselves with Go's defaults, which escape for HTML; plain objects are written as they are.
  return isStruct(value) ? escapeHtmlInJson(text) : text;
}

/** What Go's encoder does unless it is told otherwise. */
export function escapeHtmlInJson(text: string): string {
  return text.replace(
    /[<>&\u2028\u2029]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

// In Node since 21, not yet in TypeScript's library.
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown };

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return rawJson(String(value));
  if (value instanceof Typed) return plainTyped(value);
  if (Array.isArray(value)) return value.map(plain);
  if (isStruct(value)) {
    return Object.fromEntries(
      plainFields(value)
        .sort(byBytes)
        .map(name => [name, plain(fieldValue(value, name))]),
    );
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}

function plainTyped(typed: Typed): unknown {
  const { type, value } = typed;
  if (value === null) return null;
  switch (type.kind) {
    case 'slice':
      return itemsOf(typed).map(plain);
    case 'map':
      return Object.fromEntries(entriesOf(typed).map(([key, item]) => [key, plain(item)]));
    case 'struct':
      return type.fields === undefined ? value : structEntries(typed);
    default:
      // A number kept as JSON wrote it.
      return type.name === 'json.Number' ? rawJson(String(value)) : plain(value);
  }
}

function structEntries({ type, value }: Typed): Record<string, unknown> {
  const fields = value as Record<string, unknown>;
  const entries: Record<string, unknown> = {};
  for (const { name, key, omitEmpty, embedded } of type.fields!) {
    const item = fields[name];
    if (embedded) Object.assign(entries, plain(item));
    else if (key !== '-' && !(omitEmpty && isEmpty(item))) entries[key] = plain(item);
  }
  return entries;
}

/** Go's idea of empty: structs never are. */
function isEmpty(value: unknown): boolean {
  switch (kindOf(value)) {
    case 'slice':
      return itemsOf(value).length === 0;
    case 'map':
      return entriesOf(value).length === 0;
    case 'struct':
      return false;
    case 'pointer':
      return bare(value) === null;
    default:
      return !bare(value);
  }
}

/** Fields, and methods without arguments. */
export function plainFields(struct: TemplateStruct): string[] {
  return Object.keys(struct).filter(name => {
    const value = struct[name];
    return typeof value !== 'function' || value.length === 0;
  });
}

export function fieldValue(struct: TemplateStruct, name: string): unknown {
  const value = struct[name];
  return typeof value === 'function' ? value.call(struct) : value;
}
