import { EngineError } from '../stdx/errors.ts';

/**
 * Reading JSON as Go's encoding/json does, because that is what clients were tested against: field names match in any
 * case, unknown fields are skipped, null leaves a field unset, and a value of the wrong type is refused in Go's words.
 */
export interface Shape<T> {
  /** As Go's error messages name the type. */
  readonly goType: string;
  /** @param path where the value stands: `HostConfig.Memory` */
  read(value: unknown, path: string): T;
}

type Fields = Record<string, Shape<unknown>>;
type Read<F extends Fields> = { [K in keyof F]?: F[K] extends Shape<infer T> ? T : never };

/**
 * @param structName the Go struct the message names: `CreateRequest`
 * @throws EngineError `invalid`
 */
export function decodeJson<T>(text: string, shape: Shape<T>, structName: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new EngineError('invalid', `invalid JSON: ${syntaxFault(text, error as Error)}`, { cause: error });
  }
  try {
    return shape.read(value ?? {}, '');
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new EngineError('invalid', `invalid JSON: ${error.describe(structName)}`);
  }
}

class Mismatch extends Error {
  readonly path: string;
  readonly found: string;
  readonly goType: string;

  constructor(value: unknown, path: string, goType: string) {
    super(`cannot unmarshal ${path}`);
    this.path = path;
    this.found = kindOfJson(value, goType);
    this.goType = goType;
  }

  describe(structName: string): string {
    const where = this.path === '' ? 'Go value' : `Go struct field ${structName}.${this.path}`;
    return `json: cannot unmarshal ${this.found} into ${where} of type ${this.goType}`;
  }
}

export const string: Shape<string> = scalar('string', value => typeof value === 'string');
export const bool: Shape<boolean> = scalar('bool', value => typeof value === 'boolean');
export const int: Shape<number> = scalar(
  'int64',
  value => typeof value === 'number' && Number.isInteger(value),
);
/** Go's []byte. @throws EngineError `invalid`: dockerd says no more of it than where the fault is */
export const base64: Shape<Buffer> = {
  goType: '[]uint8',
  read(value, path) {
    if (typeof value !== 'string') throw new Mismatch(value, path, '[]uint8');
    const text = value.replaceAll(/[\r\n]/g, '');
    const fault = base64Fault(text);
    if (fault === undefined) return Buffer.from(text, 'base64');
    throw new EngineError('invalid', `illegal base64 data at input byte ${fault}`);
  },
};
/** Taken as it is, never looked into. */
export const anything: Shape<unknown> = { goType: 'interface {}', read: value => value };

export function list<T>(element: Shape<T>): Shape<T[]> {
  const goType = `[]${element.goType}`;
  return {
    goType,
    read(value, path) {
      if (!Array.isArray(value)) throw new Mismatch(value, path, goType);
      return value.filter(item => item !== null).map(item => element.read(item, path));
    },
  };
}

export function map<T>(element: Shape<T>): Shape<Record<string, T>> {
  const goType = `map[string]${element.goType}`;
  return {
    goType,
    read(value, path) {
      if (!isObject(value)) throw new Mismatch(value, path, goType);
      const entries = Object.entries(value)
        .filter(([, item]) => item !== null)
        .map(([key, item]) => [key, element.read(item, `${path}.${key}`)] as const);
      return Object.fromEntries(entries);
    },
  };
}

/** A map whose values may be null, which then is the empty value given here. */
export function nullableMap<T>(element: Shape<T>, empty: T): Shape<Record<string, T>> {
  const inner = map(element);
  return {
    goType: inner.goType,
    read(value, path) {
      if (!isObject(value)) throw new Mismatch(value, path, inner.goType);
      const filled = Object.entries(value).map(([key, item]) => [key, item ?? empty]);
      return inner.read(Object.fromEntries(filled), path);
    },
  };
}

/** A string or a list of them (Docker's strslice). */
export const stringOrList: Shape<string[]> = {
  goType: 'strslice.StrSlice',
  read(value, path) {
    return typeof value === 'string' ? [value] : list(string).read(value, path);
  },
};

/** All fields may be missing: Go cannot tell missing from zero either. */
export function object<F extends Fields>(goType: string, fields: F): Shape<Read<F>> {
  const names = new Map(Object.keys(fields).map(name => [name.toLowerCase(), name]));
  return {
    goType,
    read(value, path) {
      if (!isObject(value)) throw new Mismatch(value, path, goType);
      const result: Record<string, unknown> = {};
      for (const [key, item] of Object.entries(value)) {
        const name = names.get(key.toLowerCase());
        if (name === undefined || item === null) continue;
        result[name] = fields[name]!.read(item, path === '' ? name : `${path}.${name}`);
      }
      return result as Read<F>;
    },
  };
}

function scalar<T>(goType: string, accepts: (value: unknown) => boolean): Shape<T> {
  return {
    goType,
    read(value, path) {
      if (!accepts(value)) throw new Mismatch(value, path, goType);
      return value as T;
    },
  };
}

/** Where Go's decoder stops; undefined: nowhere. */
function base64Fault(text: string): number | undefined {
  const digits = /^[A-Za-z0-9+/]*/.exec(text)![0].length;
  const inLastGroup = digits % 4;
  const padding = text.slice(digits);
  if (padding === '') return inLastGroup === 0 ? undefined : digits - inLastGroup;
  if (padding[0] !== '=' || inLastGroup < 2) return digits;
  const wanted = 4 - inLastGroup;
  if (padding.length < wanted) return text.length;
  if (wanted === 2 && padding[1] !== '=') return digits;
  return padding.length > wanted ? digits + wanted : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOfJson(value: unknown, goType: string): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  // Go names the number itself when it is one, but of the wrong sort.
  if (typeof value === 'number') return goType === 'int64' ? `number ${value}` : 'number';
  return typeof value;
}

/** V8 and Go see the same faults and name them differently. @param error what JSON.parse threw */
export function syntaxFault(text: string, error: Error): string {
  if (text.trim() === '') return 'got EOF while reading request body';
  const name =
    /^Expected (?:property name or '}'|double-quoted property name) in JSON at position (\d+)/.exec(
      error.message,
    );
  if (name !== null && text[Number(name[1])] !== undefined)
    return `invalid character '${text[Number(name[1])]}' looking for beginning of object key string`;
  const character = /^Unexpected token '(.)'/su.exec(error.message)?.[1];
  if (character !== undefined) return `invalid character '${character}' looking for beginning of value`;
  const position = /at position (\d+)/.exec(error.message)?.[1];
  const cut = /end of JSON|^Unterminated/.test(error.message) || Number(position) >= text.length;
  return cut ? 'unexpected EOF' : error.message;
}
