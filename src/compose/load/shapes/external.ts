import { entryOf, mapping, type Node, scalar, textOf } from '../node.ts';
import { object } from './collections.ts';
import { flag, text } from './scalars.ts';
import { fault, type Shape } from './shape.ts';

const old = object({ name: text });

/** `external: true`, and its old form `external: {name: NAME}`. */
export const external: Shape = {
  canonical: (node, path, reading) =>
    node.kind === 'mapping' ? old.canonical(node, path, reading) : flag.canonical(node, path, reading),
};

/**
 * A resource of the project: a network, volume, secret or config, made by it or found outside.
 * @param alone what else an external one may not say
 */
export function resource(
  fields: Readonly<Record<string, Shape>>,
  options: { mayBeNull?: boolean; refusesMore?: boolean } = {},
): Shape {
  const shape = object(fields, { mayBeNull: options.mayBeNull ?? false });
  return {
    ...shape,
    canonical(node, path, reading) {
      const canonical = shape.canonical(node, path, reading);
      if (canonical.kind !== 'mapping') return canonical;
      const entries = new Map(canonical.entries);
      const said = entries.get('external');
      if (said?.kind === 'mapping') {
        entries.set('external', scalar(true, said));
        const name = entryOf(said, 'name');
        if (name !== undefined) {
          reading.warn(`${path}: external.name is deprecated. Please set name and external: true`);
          if (entries.has('name') && textOf(entries.get('name')) !== textOf(name))
            throw fault(name, `${path}: name and external.name conflict; only use name`);
          entries.set('name', name);
        }
      }
      if (options.refusesMore && isTrue(entries.get('external'))) refuseMore(entries, path);
      return mapping(entries, canonical);
    },
  };
}

function isTrue(node: Node | undefined): boolean {
  return node?.kind === 'scalar' && node.value === true;
}

function refuseMore(entries: ReadonlyMap<string, Node>, path: string): void {
  for (const [key, value] of entries) {
    if (key === 'name' || key === 'external' || key.startsWith('x-')) continue;
    throw fault(value, `${path}: conflicting parameters "external" and ${JSON.stringify(key)} specified`);
  }
}
