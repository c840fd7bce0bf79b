import { compare, equal, FunctionError } from './compare.ts';
import { toJson } from './json.ts';
import { format, sprint, sprintf, sprintln } from './print.ts';
import { quote } from './quoting.ts';
import { bare, byteOf, entryOf, isNil, isTrue, itemsOf, kindOf, Typed, typeName, zeroOf } from './values.ts';

/** What a parameter takes; the executor checks it. `raw` is any value, an invalid one too. */
export type Parameter = 'string' | 'int' | '[]string' | 'any' | 'raw';

export interface TemplateFunction {
  parameters: readonly Parameter[];
  /** The last parameter may be missing or given many times. */
  variadic?: boolean;
  /** @throws FunctionError */
  call(...args: never[]): unknown;
}

const text = (call: (value: string) => unknown): TemplateFunction => ({ parameters: ['string'], call });
const anyNumber = (call: (...values: unknown[]) => unknown): TemplateFunction => ({
  parameters: ['any'],
  variadic: true,
  call,
});
const comparison = (call: (left: unknown, right: unknown) => boolean): TemplateFunction => ({
  parameters: ['raw', 'raw'],
  call,
});

/** Go's predeclared functions and Docker's own. `and` and `or` are the executor's: they need not evaluate all. */
export const templateFunctions: Readonly<Record<string, TemplateFunction>> = {
  and: { parameters: ['raw', 'raw'], variadic: true, call: () => undefined },
  or: { parameters: ['raw', 'raw'], variadic: true, call: () => undefined },
  not: { parameters: ['raw'], call: value => !isTrue(value) },
  print: anyNumber((...values) => sprint(values)),
  println: anyNumber((...values) => sprintln(values)),
  printf: {
    parameters: ['string', 'any'],
    variadic: true,
    call: (pattern: string, ...values: unknown[]) => sprintf(pattern, values),
  },
  html: anyNumber((...values) => escapeHtml(joined(values))),
  js: anyNumber((...values) => escapeScript(joined(values))),
  urlquery: anyNumber((...values) => escapeQuery(joined(values))),
  len: { parameters: ['raw'], call: length },
  index: { parameters: ['raw', 'raw'], variadic: true, call: index },
  slice: { parameters: ['raw', 'raw'], variadic: true, call: slice },
  call: { parameters: ['raw', 'raw'], variadic: true, call: refuseCall },
  eq: {
    parameters: ['raw', 'raw'],
    variadic: true,
    call: (first: unknown, ...others: unknown[]) => equal(first, others),
  },
  ne: comparison((left, right) => !equal(left, [right])),
  lt: comparison((left, right) => compare(left, right) < 0),
  le: comparison((left, right) => compare(left, right) <= 0),
  gt: comparison((left, right) => compare(left, right) > 0),
  ge: comparison((left, right) => compare(left, right) >= 0),
  json: { parameters: ['any'], call: (value: unknown) => toJson(value) },
  split: {
    parameters: ['string', 'string'],
    call: (value: string, separator: string) =>
      new Typed(strings, separator === '' ? [...value] : value.split(separator)),
  },
  join: {
    parameters: ['[]string', 'string'],
    call: (list: unknown, separator: string) => itemsOf(list).join(separator),
  },
  // Letters that nothing but an underscore, a letter or a digit precedes.
  title: text(value =>
    value.replace(/(^|[^\p{L}\p{N}_])(\p{Ll})/gu, (_, before, letter) => before + letter.toUpperCase()),
  ),
  lower: text(value => value.toLowerCase()),
  upper: text(value => value.toUpperCase()),
  pad: {
    parameters: ['string', 'int', 'int'],
    call: (value: string, before: number, after: number) =>
      value === '' ? '' : spaces(before) + value + spaces(after),
  },
  truncate: { parameters: ['string', 'int'], call: truncate },
};

const strings = { name: '[]string', kind: 'slice', element: { name: 'string', kind: 'string' } } as const;

/**
 * Docker runs a table's template on its headers as well; there, functions that would change a text leave it alone.
 */
export const headerFunctions: Readonly<Record<string, TemplateFunction>> = {
  ...templateFunctions,
  json: text(value => value),
  lower: text(value => value),
  upper: text(value => value),
  title: text(value => value),
  join: { parameters: ['string', 'string'], call: (value: string, _separator: string) => value },
  split: { parameters: ['string', 'string'], call: (value: string, _separator: string) => value },
  truncate: { parameters: ['string', 'int'], call: (value: string, _width: number) => value },
};

function spaces(count: number): string {
  if (count < 0) throw new FunctionError('strings: negative Repeat count');
  return ' '.repeat(count);
}

/** By bytes: what is cut through shows as a replacement character. */
function truncate(value: string, width: number): string {
  const bytes = Buffer.from(value);
  if (bytes.length < width) return value;
  if (width < 0) throw new FunctionError(`runtime error: slice bounds out of range [:${width}]`);
  return bytes.subarray(0, width).toString();
}

function joined(values: readonly unknown[]): string {
  const [only] = values;
  return values.length === 1 && kindOf(only) === 'string'
    ? (bare(only) as string)
    : sprint(values.map(shown));
}

function shown(value: unknown): unknown {
  return value === undefined ? '<no value>' : value;
}

function length(value: unknown): number {
  switch (kindOf(value)) {
    case 'string':
      return Buffer.byteLength(bare(value) as string);
    case 'slice':
      return itemsOf(value).length;
    case 'map': {
      const map = bare(value) as Map<string, unknown> | object | null;
      return map instanceof Map ? map.size : Object.keys(map ?? {}).length;
    }
    case 'invalid':
    case 'interface':
      throw new FunctionError('reflect: call of reflect.Value.Type on zero Value');
    case 'pointer':
      throw new FunctionError('len of nil pointer');
    default:
      throw new FunctionError(`len of type ${typeName(value)}`);
  }
}

function index(item: unknown, ...keys: unknown[]): unknown {
  if (item === undefined || item === null) throw new FunctionError('index of untyped nil');
  let current: unknown = item;
  for (const key of keys) {
    if (kindOf(current) === 'pointer' || current === null) throw new FunctionError('index of nil pointer');
    switch (kindOf(current)) {
      case 'slice': {
        const items = itemsOf(current);
        current = items[indexIn(key, items.length, false)];
        break;
      }
      case 'string': {
        const inner = bare(current) as string;
        current = byteOf(inner, indexIn(key, Buffer.byteLength(inner), false));
        break;
      }
      case 'map':
        current = entryAt(current, key);
        break;
      default:
        throw new FunctionError(`can't index item of type ${typeName(current)}`);
    }
  }
  return current;
}

function entryAt(map: unknown, key: unknown): unknown {
  const keyType = (map instanceof Typed ? map.type.key?.name : undefined) ?? 'string';
  if (isNil(key)) throw new FunctionError(`value is nil; should be of type ${keyType}`);
  if (typeName(key) !== keyType) {
    throw new FunctionError(`value has type ${typeName(key)}; should be ${keyType}`);
  }
  const found = entryOf(map, bare(key) as string);
  if (found !== undefined) return found;
  return map instanceof Typed ? zeroOf(map.type.element!) : null;
}

function indexIn(key: unknown, length: number, endAllowed: boolean): number {
  if (key === undefined || key === null) throw new FunctionError('cannot index slice/array with nil');
  if (kindOf(key) !== 'int' && kindOf(key) !== 'uint') {
    throw new FunctionError(`cannot index slice/array with type ${typeName(key)}`);
  }
  const at = Number(bare(key));
  if (at < 0 || (endAllowed ? at > length : at >= length))
    throw new FunctionError(`index out of range: ${at}`);
  return at;
}

function slice(item: unknown, ...bounds: unknown[]): unknown {
  if (item === undefined || item === null) throw new FunctionError('slice of untyped nil');
  if (bounds.length > 3) throw new FunctionError(`too many slice indexes: ${bounds.length}`);
  const kind = kindOf(item);
  if (kind !== 'string' && kind !== 'slice') {
    throw new FunctionError(`can't slice item of type ${typeName(item)}`);
  }
  if (kind === 'string' && bounds.length === 3) throw new FunctionError('cannot 3-index slice a string');
  const bytes = kind === 'string' ? Buffer.from(bare(item) as string) : undefined;
  const size = bytes?.length ?? itemsOf(item).length;
  const [from = 0, to = size, cap = size] = bounds.map(bound => indexIn(bound, size, true));
  if (from > to) throw new FunctionError(`invalid slice index: ${from} > ${to}`);
  if (to > cap) throw new FunctionError(`invalid slice index: ${to} > ${cap}`);
  if (bytes !== undefined) return bytes.subarray(from, to).toString();
  const part = itemsOf(item).slice(from, to);
  return item instanceof Typed ? new Typed(item.type, part) : part;
}

/** Nothing in a template's data is a function. */
function refuseCall(value: unknown): never {
  if (value === undefined || value === null) throw new FunctionError('call of nil');
  const shownAs = kindOf(value) === 'string' ? quote(bare(value) as string) : format(value);
  throw new FunctionError(`non-function ${shownAs} of type ${typeName(value)}`);
}

function escapeHtml(value: string): string {
  const entities: Record<string, string> = {
    '<': '&lt;',
    '>': '&gt;',
    '&': '&amp;',
    '"': '&#34;',
    "'": '&#39;',
    '\0': '\uFFFD',
  };
  return value.replace(/[<>&"'\0]/g, character => entities[character]!);
}

function escapeScript(value: string): string {
  return value.replace(/[\\'"]|[<>&=]|[\p{C}\p{Zl}\p{Zp}]/gu, letter => {
    if ('\\\'"'.includes(letter)) return `\\${letter}`;
    return `\\u${letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
  });
}

function escapeQuery(value: string): string {
  return encodeURIComponent(value)
    .replace(/[!'()*]/g, letter => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
