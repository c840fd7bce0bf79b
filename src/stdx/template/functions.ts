import { byBytes, format, isMap, isStruct, isTrue, toJson } from './values.ts';

/** Thrown by functions; the executor adds where. */
export class FunctionError extends Error {}

type TemplateFunction = (...args: unknown[]) => unknown;

/** Go's predeclared functions and Docker's own. `and` and `or` are the executor's: they need not evaluate all. */
export function templateFunctions(structs?: WeakSet<object>): Record<string, TemplateFunction> {
  const text = (value: unknown) => (typeof value === 'string' ? value : format(value, structs));
  return {
    print: (...args) => print(args, text),
    println: (...args) => `${args.map(text).join(' ')}\n`,
    printf: (pattern, ...args) => printf(string(pattern, 'printf'), args, structs),
    html: (...args) => escapeHtml(args.map(text).join('')),
    js: (...args) => JSON.stringify(args.map(text).join('')).slice(1, -1).replaceAll("'", "\\'"),
    urlquery: (...args) => encodeURIComponent(args.map(text).join('')).replaceAll('%20', '+'),
    len: length,
    index,
    slice: (item, ...range) => slice(item, ...(range as number[])),
    not: value => !isTrue(value),
    eq: (first, ...others) => equal(first, others),
    ne: (left, right) => compare(left, right) !== 0,
    lt: (left, right) => compare(left, right, true) < 0,
    le: (left, right) => compare(left, right, true) <= 0,
    gt: (left, right) => compare(left, right, true) > 0,
    ge: (left, right) => compare(left, right, true) >= 0,
    json: value => toJson(value),
    split: (value, separator) => string(value, 'split').split(string(separator, 'split')),
    join: (list, separator) => items(list, 'join').map(text).join(string(separator, 'join')),
    title: value =>
      string(value, 'title').replace(
        /(^|[^\p{L}\p{N}_'])(\p{Ll})/gu,
        (_, before, letter) => before + letter.toUpperCase(),
      ),
    lower: value => string(value, 'lower').toLowerCase(),
    upper: value => string(value, 'upper').toUpperCase(),
    pad: (value, before, after) =>
      value === '' ? '' : ' '.repeat(Number(before)) + string(value, 'pad') + ' '.repeat(Number(after)),
    truncate: (value, width) => [...string(value, 'truncate')].slice(0, Number(width)).join(''),
  };
}

function string(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw new FunctionError(`wrong type for value; expected string; got ${typeName(value)} in ${name}`);
}

function items(value: unknown, name: string): unknown[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new FunctionError(`wrong type for value; expected []string; got ${typeName(value)} in ${name}`);
}

/** Go's Print puts spaces between operands when neither is a string. */
function print(args: unknown[], text: (value: unknown) => string): string {
  return args.reduce<string>((printed, value, at) => {
    const spaced = at > 0 && typeof value !== 'string' && typeof args[at - 1] !== 'string';
    return printed + (spaced ? ' ' : '') + text(value);
  }, '');
}

function length(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isMap(value)) return Object.keys(value).length;
  if (value === null || value === undefined) throw new FunctionError('error calling len: len of nil pointer');
  throw new FunctionError(`error calling len: len of type ${typeName(value)}`);
}

function index(item: unknown, ...keys: unknown[]): unknown {
  let current = item;
  for (const key of keys) {
    if (current === null || current === undefined)
      throw new FunctionError('error calling index: index of untyped nil');
    if (Array.isArray(current) || typeof current === 'string') {
      if (typeof key !== 'number')
        throw new FunctionError(`error calling index: cannot index slice/array with type ${typeName(key)}`);
      if (key < 0 || key >= current.length)
        throw new FunctionError(`error calling index: index out of range: ${key}`);
      current = typeof current === 'string' ? Buffer.from(current)[key] : current[key];
    } else if (isMap(current)) {
      if (typeof key !== 'string')
        throw new FunctionError(`error calling index: value has type ${typeName(key)}; should be string`);
      current = Object.hasOwn(current, key) ? current[key] : undefined;
    } else throw new FunctionError(`error calling index: can't index item of type ${typeName(current)}`);
  }
  return current;
}

function slice(item: unknown, from = 0, to?: number): unknown {
  if (typeof item !== 'string' && !Array.isArray(item)) {
    throw new FunctionError(`error calling slice: can't slice item of type ${typeName(item)}`);
  }
  if ((to ?? from) > item.length)
    throw new FunctionError(`error calling slice: index out of range: ${to ?? from}`);
  return item.slice(from, to);
}

function equal(first: unknown, others: unknown[]): boolean {
  if (others.length === 0) throw new FunctionError('error calling eq: missing argument for comparison');
  return others.some(other => compare(first, other) === 0);
}

function compare(left: unknown, right: unknown, ordered = false): number {
  const numeric = (value: unknown) => typeof value === 'number' || typeof value === 'bigint';
  if (numeric(left) && numeric(right))
    return left === right
      ? 0
      : (left as number) < (right as number)
        ? -1
        : (left as number) > (right as number)
          ? 1
          : 0;
  if (typeof left === 'string' && typeof right === 'string') return byBytes(left, right);
  if (left === null || left === undefined || right === null || right === undefined) {
    if (!ordered) return (left ?? null) === (right ?? null) ? 0 : 1;
  } else if (typeof left === 'boolean' && typeof right === 'boolean' && !ordered)
    return left === right ? 0 : 1;
  throw new FunctionError('error calling comparison: incompatible types for comparison');
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '<': '&lt;',
    '>': '&gt;',
    '&': '&amp;',
    '"': '&#34;',
    "'": '&#39;',
  };
  return text.replace(/[<>&"']/g, character => entities[character]!);
}

/** The verbs %v %s %q %d %t %x %X %o %b %c %e %f %g %% with flags, width and precision. */
export function printf(pattern: string, args: unknown[], structs?: WeakSet<object>): string {
  let next = 0;
  const printed = pattern.replace(
    /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([a-zA-Z%])/g,
    (whole, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      const count = (value: string | undefined) =>
        value === '*' ? Number(args[next++]) : value === undefined ? undefined : Number(value);
      const wide = count(width) ?? 0;
      const precise = whole.includes('.') ? (count(precision) ?? 0) : undefined;
      if (next >= args.length) return `%!${verb}(MISSING)`;
      return padded(verbText(verb, args[next++], flags, precise, structs), wide, flags, verb);
    },
  );
  const extra = args.slice(next).map(value => `${typeName(value)}=${format(value, structs)}`);
  return extra.length === 0 ? printed : `${printed}%!(EXTRA ${extra.join(', ')})`;
}

function padded(text: string, width: number, flags: string, verb: string): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0') || 'sqv'.includes(verb)) return text.padStart(width);
  return text.startsWith('-') ? `-${text.slice(1).padStart(width - 1, '0')}` : text.padStart(width, '0');
}

function verbText(
  verb: string,
  value: unknown,
  flags: string,
  precision: number | undefined,
  structs?: WeakSet<object>,
): string {
  const wrong = () => `%!${verb}(${typeName(value)}=${format(value, structs)})`;
  const numeric = typeof value === 'number' || typeof value === 'bigint';
  const sign = flags.includes('+') && numeric && (value as number) >= 0 ? '+' : '';
  const whole = typeof value === 'bigint' || Number.isInteger(value);
  switch (verb) {
    case 'v':
      return sign + format(value, structs);
    case 's':
      if (numeric || typeof value === 'boolean') return wrong();
      return [...format(value, structs)].slice(0, precision).join('');
    case 'q':
      return typeof value === 'string' ? JSON.stringify(value) : wrong();
    case 't':
      return typeof value === 'boolean' ? String(value) : wrong();
    case 'd':
      return whole ? sign + String(value) : wrong();
    case 'c':
      return whole ? String.fromCodePoint(Number(value)) : wrong();
    case 'x':
    case 'X': {
      const hex =
        typeof value === 'string'
          ? Buffer.from(value).toString('hex')
          : whole
            ? (value as number).toString(16)
            : undefined;
      return hex === undefined ? wrong() : verb === 'X' ? hex.toUpperCase() : hex;
    }
    case 'o':
      return whole ? (value as number).toString(8) : wrong();
    case 'b':
      return whole ? (value as number).toString(2) : wrong();
    case 'f':
      return numeric ? sign + Number(value).toFixed(precision ?? 6) : wrong();
    case 'e':
      return numeric
        ? sign +
            Number(value)
              .toExponential(precision ?? 6)
              .replace(/e([+-])(\d)$/, 'e$10$2')
        : wrong();
    case 'g':
      return numeric ? sign + format(value) : wrong();
    case 'T':
      return typeName(value);
    default:
      return wrong();
  }
}

export function typeName(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  if (isStruct(value)) return 'struct';
  if (typeof value === 'object') return 'map[string]interface {}';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  return typeof value === 'bigint' || Number.isInteger(value) ? 'int' : 'float64';
}
