import { readFileSync } from 'node:fs';
import { errnoOf, systemMessageOf } from '../../stdx/errors.ts';
import { project, withoutEntry } from './attributes/project.ts';
import { unsetVariable } from './environment.ts';
import { applyExtends } from './extends.ts';
import { applyIncludes } from './include.ts';
import { interpolate } from './interpolate.ts';
import { ComposeFileError, entryOf, isNull, mapping, type Node } from './node.ts';
import { readNodes } from './read.ts';
import { mergeNodes, replace, type Shape } from './shapes/shape.ts';

/** What stays the same for all files of a project, or of one that it includes. */
export interface Loading {
  /** Relative paths start here. */
  directory: string;
  resolvesPaths: boolean;
  homeDirectory: string;
  interpolates: boolean;
  /** What variables are looked up in. */
  environment: ReadonlyMap<string, string>;
  warn(message: string): void;
  /** The text of a Compose file that is no file: standard input. */
  given: ReadonlyMap<string, string>;
  /** Files read already: the name of the project is looked for in them before the rest. */
  parsed: Map<string, Node[]>;
}

/**
 * The files of a project, one over the other: each is read, its variables are filled in, it is made canonical, what
 * it extends and includes is taken in, and then it is merged into those before it.
 * @param including the files on the way here, for cycles
 * @throws ComposeFileError
 */
export function loadLayers(files: readonly string[], loading: Loading, including: readonly string[]): Node {
  let merged: Node | undefined;
  for (const file of files) {
    for (const document of readDocuments(file, loading)) {
      const said = merged === undefined ? document : withoutNothing(document, merged, project);
      const canonical = project.canonical(said, '', loading);
      if (!isNull(entryOf(canonical, 'version'))) {
        loading.warn(
          `${file}: the attribute \`version\` is obsolete, it will be ignored, please remove it to avoid potential confusion`,
        );
      }
      const extended = applyExtends(withoutEntry(canonical, 'version'), file, loading);
      const complete = applyIncludes(extended, loading, [...including, file]);
      merged = merged === undefined ? complete : mergeNodes(merged, complete, '', project);
    }
  }
  if (merged === undefined)
    throw new ComposeFileError({ file: files[0] ?? '', line: 1, column: 1 }, 'empty compose file');
  return withoutResets(merged);
}

/** The documents of a file, with their variables filled in. */
export function readDocuments(file: string, loading: Loading): Node[] {
  const nodes = loading.parsed.get(file) ?? readNodes(textOfFile(file, loading), file);
  loading.parsed.set(file, nodes);
  return nodes.map(node => {
    if (node.kind !== 'mapping') throw new ComposeFileError(node.place, 'top-level object must be a mapping');
    if (!loading.interpolates) return node;
    return interpolate(
      node,
      name => loading.environment.get(name),
      name => loading.warn(unsetVariable(name)),
    );
  });
}

function textOfFile(file: string, loading: Loading): string {
  const given = loading.given.get(file);
  if (given !== undefined) return given;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = errnoOf(error) === undefined ? String(error) : systemMessageOf(error);
    throw new ComposeFileError({ file, line: 1, column: 1 }, `cannot be read: ${reason}`);
  }
}

/**
 * A key with nothing behind it changes nothing where earlier files say something: what is commented out below
 * `environment:` in an override file does not make it an error. In a file alone it is one.
 */
function withoutNothing(over: Node, base: Node, shape: Shape | undefined): Node {
  if (over.kind !== 'mapping' || base.kind !== 'mapping' || over.tag !== undefined) return over;
  const kept = [...over.entries].flatMap(([key, value]) => {
    const earlier = base.entries.get(key);
    const below = shape?.fields?.[key] ?? shape?.of;
    if (earlier === undefined) return [[key, value] as const];
    if (below === undefined) return [[key, value] as const];
    if (isNull(value) && value.tag === undefined && below.merge !== replace) return [];
    return [[key, withoutNothing(value, earlier, below)] as const];
  });
  return mapping(kept, over);
}

/** What `!reset` marks in a file without earlier ones is left out. */
function withoutResets(node: Node): Node {
  if (node.kind !== 'mapping') return node;
  const kept = [...node.entries].filter(([, value]) => value.tag !== 'reset');
  return mapping(
    kept.map(([key, value]) => [key, withoutResets(value)] as const),
    node,
  );
}
