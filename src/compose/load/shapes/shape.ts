import {
  below,
  ComposeFileError,
  isNull,
  type MappingNode,
  mapping,
  type Node,
  sequence,
  textOf,
} from '../node.ts';

/** What a canonical form depends on besides the text. */
export interface Reading {
  /** Relative paths start here. */
  directory: string;
  /** False: paths stay as they are written (`config --no-path-resolution`). */
  resolvesPaths: boolean;
  homeDirectory: string;
  /** False: variables stay as they are written (`config --no-interpolate`). */
  interpolates: boolean;
  warn(message: string): void;
}

/** Whether a value is not known yet, as its variables are not filled in. */
export function isOpen(node: Node, { interpolates }: Reading): boolean {
  return !interpolates && textOf(node)?.includes('$') === true;
}

/** Docker's JSON has some empty objects and other names, and no extensions inside of objects. */
export type Notation = 'yaml' | 'json';

/**
 * What one attribute may look like, and what becomes of it. The tables of attributes are made of these, and all
 * phases read them: one place says what an attribute is.
 */
export interface Shape {
  /**
   * Checks the node and turns each of its notations into the one that all later phases know.
   * @throws ComposeFileError
   */
  canonical(node: Node, path: string, reading: Reading): Node;
  /** How a later file's value joins an earlier one's; both are canonical. Without it: as `mergeNodes` says. */
  merge?(base: Node, over: Node, path: string): Node;
  /** The attributes of an object, in the order they are printed. */
  fields?: Readonly<Record<string, Shape>>;
  /** Of what all values of a mapping with free names, or all items of a list, are. */
  of?: Shape;
  /** Of a list: items with the same key are one item, the later one counts. */
  keyOf?(item: Node): string;
  /** When printed, an empty value is left out, unless it differs from none at all. */
  keepsEmpty?: boolean;
  /** How it is printed, where that is not how it is known. */
  printed?(value: unknown, notation: Notation): unknown;
  /** An object that Docker's JSON (and so the hash of a service) has even when nothing is in it. */
  inJsonWhenEmpty?: boolean;
}

export function fault(node: Node, message: string): ComposeFileError {
  return new ComposeFileError(node.place, message);
}

/** That something stands under a key which may not be there. */
export function faultOfKey(node: Node, message: string): ComposeFileError {
  return new ComposeFileError(node.keyPlace ?? node.place, message);
}

/** The later value counts, even when it is null. */
export function replace(_base: Node, over: Node): Node {
  return over;
}

/**
 * How two files' values become one: mappings key by key, lists one after the other, values by the later one. A null
 * changes nothing, `!override` everything, and `!reset` takes the key away.
 * @throws ComposeFileError when they are not of one kind
 */
export function mergeNodes(base: Node, over: Node, path: string, shape: Shape | undefined): Node {
  if (over.tag === 'override') return { ...over, tag: undefined };
  if (shape?.merge !== undefined) return shape.merge(base, over, path);
  if (isNull(over)) return base;
  if (isNull(base)) return over;
  if (base.kind === 'mapping' && over.kind === 'mapping') return mergeMappings(base, over, path, shape);
  if (base.kind === 'sequence' && over.kind === 'sequence')
    return sequence(withoutRepeats([...base.items, ...over.items], shape), over);
  if (base.kind === 'scalar' && over.kind === 'scalar') return over;
  throw fault(
    over,
    `cannot override ${path}: it is a ${base.kind} in an earlier file and a ${over.kind} here`,
  );
}

export function mergeMappings(
  base: MappingNode,
  over: MappingNode,
  path: string,
  shape: Shape | undefined,
): Node {
  const entries = new Map(base.entries);
  for (const [key, value] of over.entries) {
    const earlier = entries.get(key);
    if (value.tag === 'reset') entries.delete(key);
    else if (earlier === undefined) entries.set(key, value);
    else entries.set(key, mergeNodes(earlier, value, below(path, key), shape?.fields?.[key] ?? shape?.of));
  }
  return mapping(entries, over);
}

export function withoutRepeats(items: readonly Node[], shape: Shape | undefined): Node[] {
  if (shape?.keyOf === undefined) return [...items];
  const kept = new Map<string, Node>();
  for (const item of items) kept.set(shape.keyOf(item), item);
  return [...kept.values()];
}
