import { dirname, isAbsolute, join } from 'node:path';
import { withoutEntry } from './attributes/project.ts';
import { service } from './attributes/service.ts';
import { type Loading, readDocuments } from './layer.ts';
import { entryOf, type MappingNode, mapping, type Node, textOf } from './node.ts';
import { fault, mergeNodes } from './shapes/shape.ts';

/**
 * Services that extend others are laid over them; the other may be in this file or in another, whose relative paths
 * start at its own directory.
 * @param node a canonical file
 * @throws ComposeFileError for services that do not exist, and for circles
 */
export function applyExtends(node: Node, file: string, loading: Loading): Node {
  const services = entryOf(node, 'services');
  if (node.kind !== 'mapping' || services?.kind !== 'mapping') return node;
  const extended = Array.from(
    services.entries,
    ([name]) => [name, extendService(name, { services, file, loading }, [])] as const,
  );
  return mapping(new Map([...node.entries, ['services', mapping(extended, services)]]), node);
}

/** A file and its services, not extended yet. */
interface Source {
  services: MappingNode;
  /** Whether the services still are as they are written: of another file only those that are needed are looked at. */
  isRaw?: boolean;
  file: string;
  loading: Loading;
}

function extendService(name: string, source: Source, chain: readonly string[]): Node {
  const written = source.services.entries.get(name)!;
  const node = source.isRaw ? service.canonical(written, `services.${name}`, source.loading) : written;
  const extending = entryOf(node, 'extends');
  if (extending?.kind !== 'mapping' || extending.tag === 'reset') return node;
  const link = `${name} in ${source.file}`;
  if (chain.includes(link)) {
    throw fault(extending, `circular reference with extends: ${[...chain, link].join(', which extends ')}`);
  }
  const otherName = textOf(entryOf(extending, 'service'))!;
  const other = sourceOf(extending, source);
  if (!other.services.entries.has(otherName)) {
    throw fault(
      extending,
      `cannot extend service ${JSON.stringify(name)} in ${source.file}: service ${JSON.stringify(otherName)} not found` +
        (other.file === source.file ? '' : ` in ${other.file}`),
    );
  }
  const base = extendService(otherName, other, [...chain, link]);
  return mergeNodes(base, withoutEntry(node, 'extends'), `services.${name}`, service);
}

function sourceOf(extending: MappingNode, source: Source): Source {
  const written = textOf(entryOf(extending, 'file'));
  if (written === undefined) return source;
  const file = isAbsolute(written) ? written : join(source.loading.directory, written);
  const loading = { ...source.loading, directory: dirname(file), given: new Map<string, string>() };
  const services = readDocuments(file, loading)
    .map(node => entryOf(node, 'services'))
    .find(node => node?.kind === 'mapping');
  if (services?.kind !== 'mapping')
    throw fault(extending, `cannot extend a service of ${file}: no services section`);
  return { services, isRaw: true, file, loading };
}
