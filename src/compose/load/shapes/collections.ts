import { below, isNull, mapping, type Node, type ScalarValue, scalar, sequence, textOf } from '../node.ts';
import { goText, text, textOrNumber } from './scalars.ts';
import { fault, faultOfKey, mergeNodes, type Reading, replace, type Shape, withoutRepeats } from './shape.ts';

interface ObjectOptions {
  required?: readonly string[];
  /** What a single value means: an object with this attribute. */
  shorthand?: string;
  /** `name:` with nothing behind it is an object without attributes. */
  mayBeNull?: boolean;
  inJsonWhenEmpty?: boolean;
  keepsEmpty?: boolean;
  /** What is added once the attributes are canonical. */
  completed?(entries: Map<string, Node>, node: Node): void;
}

/** A mapping with known names; others are refused, but for `x-...`. */
export function object(fields: Readonly<Record<string, Shape>>, options: ObjectOptions = {}): Shape {
  return {
    fields,
    inJsonWhenEmpty: options.inJsonWhenEmpty ?? false,
    keepsEmpty: options.keepsEmpty ?? false,
    canonical(node, path, reading) {
      const entries = new Map<string, Node>();
      if (options.shorthand !== undefined && textOf(node) !== undefined) {
        entries.set(options.shorthand, fields[options.shorthand]!.canonical(node, path, reading));
      } else if (node.kind !== 'mapping') {
        if (options.mayBeNull && isNull(node)) return node;
        throw fault(
          node,
          `${path} must be a ${options.shorthand === undefined ? 'mapping' : 'mapping or string'}`,
        );
      } else {
        for (const [key, value] of node.entries)
          entries.set(key, canonicalField(fields, key, value, path, reading));
        for (const key of options.required ?? [])
          if (!entries.has(key)) throw fault(node, `${path} missing property '${key}'`);
      }
      options.completed?.(entries, node);
      return mapping(entries, node);
    },
  };
}

function canonicalField(
  fields: Readonly<Record<string, Shape>>,
  key: string,
  value: Node,
  path: string,
  reading: Reading,
): Node {
  if (key.startsWith('x-') || value.tag === 'reset') return value;
  const shape = fields[key];
  if (shape === undefined) {
    const meant = nearest(key, Object.keys(fields));
    const hint = meant === undefined ? '' : ` (did you mean '${meant}'?)`;
    throw faultOfKey(
      value,
      `${path === '' ? '' : `${path} `}additional properties '${key}' not allowed${hint}`,
    );
  }
  return shape.canonical(value, below(path, key), reading);
}

/** The name one or two letters away from what was written. */
function nearest(written: string, names: readonly string[]): string | undefined {
  const limit = written.length > 4 ? 2 : 1;
  return names
    .map(name => ({ name, away: distance(written, name) }))
    .filter(({ away }) => away <= limit)
    .sort((a, b) => a.away - b.away)[0]?.name;
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, change));
    }
    row = next;
  }
  return row[b.length]!;
}

/** A mapping with free names. */
export function mapOf(of: Shape, options: { names?: RegExp; mayBeNull?: boolean } = {}): Shape {
  return {
    of,
    canonical(node, path, reading) {
      if (node.kind !== 'mapping') {
        if (options.mayBeNull && isNull(node)) return node;
        throw fault(node, `${path} must be a mapping`);
      }
      const entries = Array.from(node.entries, ([key, value]) => {
        if (value.tag === 'reset' || (key.startsWith('x-') && options.names === undefined))
          return [key, value] as const;
        if (options.names !== undefined && !options.names.test(key))
          throw faultOfKey(
            value,
            `${path} additional properties '${key}' not allowed: names match ${options.names.source}`,
          );
        return [key, of.canonical(value, below(path, key), reading)] as const;
      });
      return mapping(entries, node);
    },
  };
}

interface ListOptions {
  keyOf?(item: Node): string;
  /** A single value is a list of one. */
  single?: boolean;
  /** So is a single value that is no text. */
  singleOfAny?: boolean;
  /** The later file's list counts alone. */
  replaces?: boolean;
  /** The same item twice in one file is an error. */
  refusesRepeats?: boolean;
  /** `name:` with nothing behind it is a list without items. */
  mayBeNull?: boolean;
}

export function listOf(of: Shape, options: ListOptions = {}): Shape {
  const shape: Shape = {
    of,
    ...(options.keyOf === undefined ? {} : { keyOf: options.keyOf }),
    ...(options.replaces ? { merge: replace } : {}),
    canonical(node, path, reading) {
      if (options.mayBeNull && isNull(node)) return node;
      const items =
        node.kind === 'sequence'
          ? node.items
          : (options.single && textOf(node) !== undefined) || (options.singleOfAny && node.kind === 'scalar')
            ? [node]
            : undefined;
      if (options.singleOfAny && items?.[0] === node && !reading.interpolates)
        return of.canonical(node, path, reading);
      if (items === undefined)
        throw fault(node, `${path} must be a${options.single ? ' string or' : 'n'} array`);
      const canonical = items.map((item, at) => of.canonical(item, below(path, at), reading));
      if (options.refusesRepeats) refuseRepeats(canonical, path);
      return sequence(withoutRepeats(canonical, shape), node);
    },
  };
  return shape;
}

function refuseRepeats(items: readonly Node[], path: string): void {
  const seen = new Map<string, number>();
  items.forEach((item, at) => {
    const value = valueText(item);
    const earlier = seen.get(value);
    if (earlier !== undefined) throw fault(item, `${path} items at ${earlier} and ${at} are equal`);
    seen.set(value, at);
  });
}

export function valueText(item: Node): string {
  return item.kind === 'scalar' ? String(item.value) : '';
}

/** What is before the `=` of an item. */
export function nameText(item: Node): string {
  return valueText(item).split('=', 1)[0]!;
}

export const texts: Shape = listOf(text);
/** In which an item is there once, however many files name it. */
export const uniqueTexts: Shape = listOf(text, { keyOf: nameText });
export const distinctTexts: Shape = listOf(text, { refusesRepeats: true });
export const textOrTexts: Shape = listOf(text, { single: true });
export const textOrUniqueTexts: Shape = listOf(text, { single: true, keyOf: nameText });
export const textsOrNumbers: Shape = listOf(textOrNumber, { refusesRepeats: true });
export const uniqueTextsOrNumbers: Shape = listOf(textOrNumber, { keyOf: valueText });

/**
 * `NAME: value` or `NAME=value`, as a mapping of texts.
 * @param withoutValue what a name alone means: nothing (null, to be looked up later) or the empty text
 */
function pairs(withoutValue: null | '', faultOf?: (name: string) => string | undefined): Shape {
  return {
    merge: mergePairs,
    canonical(node, path, reading) {
      const canonical = canonicalPairs(node, path);
      return reading.interpolates ? canonical : node;
    },
  };

  function canonicalPairs(node: Node, path: string): Node {
    if (node.kind === 'sequence')
      return mapping(
        node.items.map(item => pairOf(item, path, withoutValue, faultOf)),
        node,
      );
    if (node.kind !== 'mapping') throw fault(node, `${path} must be a mapping or array`);
    return mapping(
      Array.from(node.entries, ([key, value]) => {
        if (value.tag === 'reset') return [key, value] as const;
        if (!/./.test(key)) throw faultOfKey(value, `${path}: a name cannot be empty`);
        if (value.kind !== 'scalar')
          throw fault(value, `${below(path, key)} must be a boolean, null, number or string`);
        return [key, scalar(value.value === null ? withoutValue : goText(value.value), value)] as const;
      }),
      node,
    );
  }
}

function pairOf(
  item: Node,
  path: string,
  withoutValue: null | '',
  faultOf?: (name: string) => string | undefined,
): readonly [string, Node] {
  const written = textOf(item);
  if (written === undefined) throw fault(item, `${path} must be an array of strings`);
  const equals = written.indexOf('=');
  const name = equals === -1 ? written : written.slice(0, equals);
  const wrong = faultOf?.(name);
  if (wrong !== undefined) throw fault(item, `${path}: ${wrong}`);
  return [name, scalar(equals === -1 ? withoutValue : written.slice(equals + 1), item)];
}

function mergePairs(base: Node, over: Node, path: string): Node {
  if (isNull(over)) return base;
  if (base.kind === 'sequence' || over.kind === 'sequence')
    return mergeNodes(pairList(base), pairList(over), path, uniqueTexts);
  if (base.kind !== 'mapping' || over.kind !== 'mapping') return mergeNodes(base, over, path, undefined);
  const entries = new Map(base.entries);
  for (const [key, value] of over.entries) {
    if (value.tag === 'reset') entries.delete(key);
    else entries.set(key, value);
  }
  return mapping(entries, over);
}

/** As items, `NAME=value`: what is left as it is written may have either form. */
function pairList(node: Node): Node {
  if (node.kind !== 'mapping') return node;
  const items = Array.from(node.entries, ([key, value]) =>
    scalar(isNull(value) ? key : `${key}=${valueText(value)}`, value),
  );
  return sequence(items, node);
}

/** Variables: a name alone takes its value from the surroundings. */
export const variables: Shape = pairs(null, name =>
  /\s$/.test(name) ? `environment variable ${name} is declared with a trailing space` : undefined,
);
export const labels: Shape = pairs('');

/** A mapping of a driver's options to texts and numbers. */
export const driverOptions: Shape = optionsOf('a number or string', value => value !== null);
/** The same, where an option may have no value. */
export const options: Shape = optionsOf('a null, number or string', () => true);

function optionsOf(what: string, allows: (value: ScalarValue) => boolean): Shape {
  return {
    merge: mergePairs,
    canonical(node, path, reading) {
      if (node.kind !== 'mapping') throw fault(node, `${path} must be a mapping`);
      for (const [key, value] of node.entries) {
        const isOption = value.kind === 'scalar' && typeof value.value !== 'boolean' && allows(value.value);
        if (value.tag !== 'reset' && !isOption) throw fault(value, `${below(path, key)} must be ${what}`);
      }
      return labels.canonical(node, path, reading);
    },
  };
}

/** `NAME=value` with a value, always. */
export const givenPairs = (of: Shape): Shape => ({
  of,
  canonical(node, path, reading) {
    const missing =
      node.kind === 'sequence' ? node.items.find(item => !textOf(item)?.includes('=')) : undefined;
    if (missing !== undefined)
      throw fault(missing, `${path}: invalid value ${valueText(missing)}, expected key=value`);
    const canonical = labels.canonical(node, path, reading);
    if (canonical.kind !== 'mapping') return canonical;
    return mapping(
      Array.from(
        canonical.entries,
        ([key, value]) => [key, of.canonical(value, below(path, key), reading)] as const,
      ),
      canonical,
    );
  },
});

/** A list of names, or a mapping of names to what is said of each. */
export function namesOrMap(of: Shape, names: RegExp, implied: (item: Node) => Node): Shape {
  const map = mapOf(of, { names });
  return {
    of,
    canonical(node, path, reading) {
      if (node.kind !== 'sequence') return map.canonical(node, path, reading);
      refuseRepeats(node.items, path);
      const named = node.items.map((item, at) => {
        const name = textOf(item);
        if (name === undefined) throw fault(item, `${below(path, at)} must be a string`);
        return [name, implied(item)] as const;
      });
      return map.canonical(mapping(named, node), path, reading);
    },
  };
}
