import { EngineError } from '../../stdx/errors.ts';

/** Where something is written. Lines and columns count from 1. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

/** `!reset` takes away what earlier files said here, `!override` replaces it instead of merging. */
export type MergeTag = 'reset' | 'override';

/**
 * A value of a Compose file that remembers where it was written, so that errors of every phase can say so.
 * Nodes are never changed: a phase returns new ones.
 */
export type Node = ScalarNode | SequenceNode | MappingNode;

interface Written {
  place: Place;
  /** Of the key it stands under. */
  keyPlace?: Place | undefined;
  tag?: MergeTag | undefined;
}

export interface ScalarNode extends Written {
  kind: 'scalar';
  value: ScalarValue;
}

export interface SequenceNode extends Written {
  kind: 'sequence';
  items: readonly Node[];
}

export interface MappingNode extends Written {
  kind: 'mapping';
  entries: ReadonlyMap<string, Node>;
}

export type ScalarValue = string | number | boolean | null;

/** A value without its places. */
export type Plain = ScalarValue | Plain[] | { [key: string]: Plain };

/** A fault in a Compose file; the message starts with the place. */
export class ComposeFileError extends EngineError {
  readonly place: Place;

  constructor(place: Place, message: string) {
    super('invalid', `${place.file}:${place.line}:${place.column}: ${message}`);
    this.place = place;
  }
}

export function scalar(value: ScalarValue, { place, keyPlace, tag }: Written): ScalarNode {
  return { kind: 'scalar', value, place, keyPlace, tag };
}

export function sequence(items: readonly Node[], { place, keyPlace, tag }: Written): SequenceNode {
  return { kind: 'sequence', items, place, keyPlace, tag };
}

export function mapping(
  entries: Iterable<readonly [string, Node]>,
  { place, keyPlace, tag }: Written,
): MappingNode {
  return { kind: 'mapping', entries: new Map(entries), place, keyPlace, tag };
}

export function isNull(node: Node | undefined): boolean {
  return node === undefined || (node.kind === 'scalar' && node.value === null);
}

export function textOf(node: Node | undefined): string | undefined {
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}

export function entryOf(node: Node | undefined, key: string): Node | undefined {
  return node?.kind === 'mapping' ? node.entries.get(key) : undefined;
}

/** `services.web` and `ports` make `services.web.ports`. */
export function below(path: string, key: string | number): string {
  return path === '' ? String(key) : `${path}.${key}`;
}

export function toPlain(node: Node): Plain {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'sequence':
      return node.items.map(toPlain);
    case 'mapping':
      return Object.fromEntries(Array.from(node.entries, ([key, value]) => [key, toPlain(value)]));
  }
}

/** The place of what a path leads to, or of the nearest thing above it that is written. */
export function placeAt(root: Node, path: readonly (string | number)[]): Place {
  let node = root;
  for (const key of path) {
    const next =
      node.kind === 'mapping'
        ? node.entries.get(String(key))
        : node.kind === 'sequence'
          ? node.items[Number(key)]
          : undefined;
    if (next === undefined) break;
    node = next;
  }
  return node.place;
}
