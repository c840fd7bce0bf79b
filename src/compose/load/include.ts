import { dirname, isAbsolute, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { withoutEntry } from './attributes/project.ts';
import { readEnvFiles } from './environment.ts';
import { type Loading, loadLayers } from './layer.ts';
import { entryOf, mapping, type Node, textOf, toPlain } from './node.ts';
import { fault } from './shapes/shape.ts';

const sections = ['services', 'volumes', 'networks', 'secrets', 'configs', 'models'];

/**
 * Takes in the projects that a file includes: each is loaded for itself, with its own directory and variables.
 * @param node a canonical file
 * @throws ComposeFileError when both say something different of one thing, and for circles
 */
export function applyIncludes(node: Node, loading: Loading, including: readonly string[]): Node {
  const includes = entryOf(node, 'include');
  if (includes === undefined) return node;
  let complete = withoutEntry(node, 'include');
  for (const include of includes.kind === 'sequence' ? includes.items : [])
    complete = importInto(complete, loadIncluded(include, loading, including), include);
  return complete;
}

function loadIncluded(include: Node, loading: Loading, including: readonly string[]): Node {
  const absolute = (path: string) => (isAbsolute(path) ? path : join(loading.directory, path));
  const files = listOfTexts(entryOf(include, 'path')).map(absolute);
  const main = files[0];
  if (main === undefined) throw fault(include, 'include: path is missing');
  if (including.includes(main))
    throw fault(include, `include cycle detected: ${[...including, main].join(' includes ')}`);
  const given = textOf(entryOf(include, 'project_directory'));
  const directory = given === undefined ? dirname(main) : absolute(given);
  const envFiles = listOfTexts(entryOf(include, 'env_file')).map(absolute);
  const environment = new Map([
    ...readEnvFiles(envFiles, directory, loading.environment, loading.warn),
    ...loading.environment,
  ]);
  return loadLayers(files, { ...loading, directory, environment, given: new Map() }, including);
}

function importInto(node: Node, included: Node, include: Node): Node {
  if (node.kind !== 'mapping') return node;
  const entries = new Map(node.entries);
  for (const section of sections) {
    const from = entryOf(included, section);
    if (from?.kind !== 'mapping') continue;
    const to = entries.get(section);
    const all = new Map(to?.kind === 'mapping' ? to.entries : []);
    for (const [name, value] of from.entries) {
      const own = all.get(name);
      if (own !== undefined && !isDeepStrictEqual(toPlain(own), toPlain(value)))
        throw fault(own, `${section}.${name} conflicts with imported resource of ${value.place.file}`);
      all.set(name, value);
    }
    entries.set(section, mapping(all, to ?? include));
  }
  return mapping(entries, node);
}

function listOfTexts(node: Node | undefined): string[] {
  return node?.kind === 'sequence' ? node.items.flatMap(item => textOf(item) ?? []) : [];
}
