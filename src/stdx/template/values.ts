/**
 * How JavaScript values stand for Go's in templates. undefined is Go's invalid value (`<no value>`), null a nil
 * interface; arrays are []interface {}, plain objects map[string]interface {}, numbers without fraction int. An object with
 * `goType` is a struct of that name, whose functions are its methods. Everything else Go tells apart is a Typed.
 */
export const goType: unique symbol = Symbol('the name of the Go type this stands for');

/** A struct: fields by name; functions are methods, called with the arguments given in the template. */
export interface TemplateStruct {
  readonly [goType]: string;
  readonly [name: string]: unknown;
}

export type GoKind =
  | 'invalid'
  | 'bool'
  | 'string'
  | 'int'
  | 'uint'
  | 'float'
  | 'complex'
  | 'slice'
  | 'map'
  | 'struct'
  | 'pointer'
  | 'interface';

export interface GoType {
  name: string;
  kind: Exclude<GoKind, 'invalid'>;
  /** Of slices, maps and pointers. */
  element?: GoType;
  /** Of maps. */
  key?: GoType;
  /** Of structs, in order. */
  fields?: readonly GoField[];
  /** By name; what they return is a value again. */
  methods?: Readonly<Record<string, (value: never, ...args: never[]) => unknown>>;
  /** It prints as this says, as a Stringer does, and is a string in JSON. */
  print?: (value: never) => string;
}

export interface GoField {
  name: string;
  /** In JSON. */
  key: string;
  type: GoType;
  omitEmpty: boolean;
  /** Its fields are the outer struct's as well. */
  embedded: boolean;
}

/**
 * A value of a Go type JavaScript has no word for. `value` is a string, boolean, number or bigint; an array of values or
 * null; a Map of values or null; a struct's fields by name, also for a pointer to one; what another pointer points to, or
 * null.
 */
export class Typed {
  readonly type: GoType;
  readonly value: unknown;

  constructor(type: GoType, value: unknown) {
    this.type = type;
    this.value = value;
  }
}

export const float64: GoType = { name: 'float64', kind: 'float' };
export const complex128: GoType = { name: 'complex128', kind: 'complex' };
const uint8: GoType = { name: 'uint8', kind: 'uint' };

export function isStruct(value: unknown): value is TemplateStruct {
  return typeof value === 'object' && value !== null && goType in value;
}

export function kindOf(value: unknown): GoKind {
  if (value === undefined) return 'invalid';
  if (value === null) return 'interface';
  if (value instanceof Typed) return value.type.kind;
  if (Array.isArray(value)) return 'slice';
  if (isStruct(value)) return 'struct';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float';
    default:
      return 'map';
  }
}

export function typeName(value: unknown): string {
  if (value === undefined || value === null) return '<nil>';
  if (value instanceof Typed) return value.type.name;
  if (isStruct(value)) return value[goType];
  const names: Partial<Record<GoKind, string>> = {
    slice: '[]interface {}',
    map: 'map[string]interface {}',
    float: 'float64',
  };
  const kind = kindOf(value);
  return names[kind] ?? kind;
}

/** Without what says its type. */
export function bare(value: unknown): unknown {
  return value instanceof Typed ? value.value : value;
}

/** Nil of any kind. */
export function isNil(value: unknown): boolean {
  return bare(value) === null || value === undefined;
}

/** The items of a slice; a nil one has none. */
export function itemsOf(value: unknown): readonly unknown[] {
  return (bare(value) as readonly unknown[] | null) ?? [];
}

/** The entries of a map in the order Go prints and ranges over them. */
export function entriesOf(value: unknown): [string, unknown][] {
  const map = bare(value) as Map<string, unknown> | Record<string, unknown> | null;
  if (map === null) return [];
  const entries = map instanceof Map ? [...map] : Object.entries(map);
  return entries.sort(([left], [right]) => byBytes(left, right));
}

/** A key of a map as the value it is: `nat.Port` for example. */
export function keyValue(map: unknown, key: string): unknown {
  const type = map instanceof Typed ? map.type.key : undefined;
  return type === undefined || type.name === 'string' ? key : new Typed(type, key);
}

/** undefined when it is not there. */
export function entryOf(map: unknown, key: string): unknown {
  const inner = bare(map) as Map<string, unknown> | Record<string, unknown> | null;
  if (inner === null) return undefined;
  if (inner instanceof Map) return inner.get(key);
  return Object.hasOwn(inner, key) ? inner[key] : undefined;
}

/** One byte of a string, as Go indexes it. */
export function byteOf(text: string, at: number): Typed {
  return new Typed(uint8, Buffer.from(text)[at]);
}

/** What a type has where nothing was said. */
export function zeroOf(type: GoType): unknown {
  switch (type.kind) {
    case 'bool':
      return named(type, false);
    case 'string':
      return named(type, '');
    case 'int':
    case 'uint':
    case 'float':
      return named(type, 0);
    case 'interface':
      return null;
    case 'struct':
      if (type.fields === undefined) return new Typed(type, '');
      return new Typed(type, Object.fromEntries(type.fields.map(field => [field.name, zeroOf(field.type)])));
    default:
      return new Typed(type, null);
  }
}

/** The plain value where JavaScript's type says it all. */
export function named(type: GoType, value: unknown): unknown {
  return ['bool', 'string', 'int'].includes(type.name) ? value : new Typed(type, value);
}

/** Go's truth: nothing empty is true. */
export function isTrue(value: unknown): boolean {
  switch (kindOf(value)) {
    case 'slice':
      return itemsOf(value).length > 0;
    case 'map':
      return entriesOf(value).length > 0;
    case 'struct':
      return true;
    case 'invalid':
      return false;
    case 'pointer':
      return !isNil(value);
    case 'complex':
      return (bare(value) as [number, number]).some(part => part !== 0);
    default:
      return !!bare(value);
  }
}

/** The order of Go's maps: by UTF-8 bytes, which for these keys is by code unit. */
export function byBytes(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
