import { entryOf, isNull, mapping, type Node, sequence, textOf } from '../node.ts';
import {
  driverOptions,
  labels,
  listOf,
  mapOf,
  object,
  options,
  textOrTexts,
  texts,
} from '../shapes/collections.ts';
import { external, resource } from '../shapes/external.ts';
import { flag, flagOrUnset, path, text, whole } from '../shapes/scalars.ts';
import { fault, mergeMappings, type Shape } from '../shapes/shape.ts';
import { resourceName, service } from './service.ts';

const pool = object({ subnet: text, gateway: text, ip_range: text, aux_addresses: mapOf(text) });

/** Pools of one subnet are one pool. */
const pools: Shape = {
  ...listOf(pool),
  merge(base, over, at) {
    if (base.kind !== 'sequence' || over.kind !== 'sequence') return isNull(over) ? base : over;
    const merged = [...base.items];
    for (const item of over.items) {
      const subnet = textOf(entryOf(item, 'subnet'));
      const same = merged.findIndex(earlier => textOf(entryOf(earlier, 'subnet')) === subnet);
      const earlier = merged[same];
      if (earlier?.kind === 'mapping' && item.kind === 'mapping')
        merged[same] = mergeMappings(earlier, item, at, pool);
      else merged.push(item);
    }
    return sequence(merged, over);
  },
};

export const network = resource(
  {
    name: text,
    driver: text,
    driver_opts: driverOptions,
    ipam: object({ driver: text, config: pools, options }, { inJsonWhenEmpty: true }),
    external,
    internal: flag,
    attachable: flag,
    labels,
    enable_ipv4: flagOrUnset,
    enable_ipv6: flagOrUnset,
  },
  { mayBeNull: true },
);

export const volume = resource(
  { name: text, driver: text, driver_opts: driverOptions, external, labels },
  { mayBeNull: true, refusesMore: true },
);

/** A file given to services: from one of these attributes, or found outside. */
function fileObject(sources: readonly string[], fields: Readonly<Record<string, Shape>>): Shape {
  const shape = resource(fields);
  return {
    ...shape,
    canonical(node, at, reading) {
      const canonical = shape.canonical(node, at, reading);
      const said = sources.filter(source => entryOf(canonical, source) !== undefined);
      const list = sources.join('|');
      if (said.length > 1) throw fault(node, `${at}: ${list} attributes are mutually exclusive`);
      const elsewhere = ['driver', 'external'].some(key => entryOf(canonical, key) !== undefined);
      if (said.length === 0 && !elsewhere) throw fault(node, `${at}: one of ${list} must be set`);
      return canonical;
    },
  };
}

const secret = fileObject(['file', 'environment'], {
  name: text,
  file: path,
  environment: text,
  external,
  labels,
  driver: text,
  driver_opts: driverOptions,
  template_driver: text,
});

const config = fileObject(['file', 'environment', 'content'], {
  name: text,
  file: path,
  environment: text,
  content: text,
  external,
  labels,
  template_driver: text,
});

const model = object(
  { name: text, model: text, context_size: whole(), runtime_flags: texts },
  { required: ['model'] },
);

const include = object(
  { path: textOrTexts, project_directory: text, env_file: textOrTexts },
  { shorthand: 'path', required: ['path'] },
);

/** The attributes of a Compose file, in the order in which Docker prints them. */
export const project = object({
  version: text,
  name: text,
  include: listOf(include, { mayBeNull: true }),
  services: { ...mapOf(service, { names: resourceName }), keepsEmpty: true },
  networks: mapOf(network, { names: resourceName }),
  volumes: mapOf(volume, { names: resourceName }),
  secrets: mapOf(secret, { names: resourceName }),
  configs: mapOf(config, { names: resourceName }),
  models: mapOf(model, { names: resourceName }),
});

export function withoutEntry(node: Node, key: string): Node {
  if (node.kind !== 'mapping') return node;
  return mapping(
    [...node.entries].filter(([name]) => name !== key),
    node,
  );
}
