import { below, ComposeFileError, mapping, type Node, scalar, sequence } from './node.ts';
import { type Lookup, substitute } from './substitution.ts';

/**
 * Second phase: variables in values (never in keys).
 * @throws ComposeFileError for a bad form, and for `${NAME:?}` without a value
 */
export function interpolate(node: Node, lookup: Lookup, missing: (name: string) => void): Node {
  return walk(node, '');

  function walk(node: Node, path: string): Node {
    if (node.kind === 'mapping')
      return mapping(
        Array.from(node.entries, ([key, value]) => [key, walk(value, below(path, key))] as const),
        node,
      );
    if (node.kind === 'sequence')
      return sequence(
        node.items.map((item, at) => walk(item, below(path, at))),
        node,
      );
    if (typeof node.value !== 'string') return node;
    const result = substitute(node.value, lookup, missing);
    if ('text' in result) return result.text === node.value ? node : scalar(result.text, node);
    throw new ComposeFileError(
      node.place,
      result.fault === 'format'
        ? `invalid interpolation format for ${path}: ${JSON.stringify(node.value)}. You may need to escape any $ with another $`
        : `error while interpolating ${path}: ${result.message}`,
    );
  }
}
