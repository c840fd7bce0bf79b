import { entryOf, mapping, type Node, scalar, sequence, textOf } from '../node.ts';
import { labels, listOf, mapOf, object, texts } from './collections.ts';
import { deviceCount, resolvePath, text, whole } from './scalars.ts';
import { fault, replace, type Shape } from './shape.ts';

const softAndHard = object({ soft: whole(), hard: whole() }, { required: ['soft', 'hard'] });

/** One number, or `soft` and `hard`. */
const ulimit: Shape = {
  merge: replace,
  fields: softAndHard.fields!,
  canonical: (node, path, reading) =>
    (node.kind === 'mapping' ? softAndHard : whole()).canonical(node, path, reading),
};

export const ulimits = mapOf(ulimit, { names: /^[a-z]+$/ });

const deviceRequest = object(
  { capabilities: texts, driver: text, count: deviceCount, device_ids: texts, options: labels },
  {
    completed(entries, node) {
      if (entries.has('count') && entries.has('device_ids'))
        throw fault(node, '"count" and "device_ids" attributes are exclusive');
      if (!entries.has('count') && !entries.has('device_ids')) entries.set('count', scalar(-1, node));
    },
  },
);

export const deviceRequests = listOf({
  ...deviceRequest,
  canonical(node, path, reading) {
    if (entryOf(node, 'capabilities') === undefined)
      throw fault(node, `${path} missing property 'capabilities'`);
    return deviceRequest.canonical(node, path, reading);
  },
});

/** `all`, or requests. */
export const gpus: Shape = {
  of: deviceRequest,
  canonical(node, path, reading) {
    if (textOf(node) === 'all') return sequence([mapping([['count', scalar(-1, node)]], node)], node);
    return listOf(deviceRequest).canonical(node, path, reading);
  },
};

/** Keys of an ssh agent: `default`, `ID=PATH` or a mapping. */
export const sshKeys: Shape = {
  canonical(node, path, reading) {
    const entries: [string, Node][] = [];
    const resolved = (written: string) => resolvePath(written, reading);
    if (node.kind === 'sequence') {
      for (const item of node.items) {
        const written = textOf(item);
        const equals = written?.indexOf('=') ?? -1;
        if (written === undefined || (equals === -1 && written !== 'default'))
          throw fault(
            item,
            `${path}: invalid ssh key ${JSON.stringify(written ?? null)}, expected default or ID=PATH`,
          );
        entries.push(
          equals === -1
            ? [written, scalar(null, item)]
            : [written.slice(0, equals), scalar(resolved(written.slice(equals + 1)), item)],
        );
      }
    } else if (node.kind === 'mapping') {
      for (const [id, value] of node.entries) {
        if (value.kind !== 'scalar') throw fault(value, `${path}.${id} must be a string`);
        entries.push([id, typeof value.value === 'string' ? scalar(resolved(value.value), value) : value]);
      }
    } else throw fault(node, `${path} must be a mapping or array`);
    return mapping(entries, node);
  },
  printed: keys =>
    Object.entries(keys as Record<string, string | null>).map(([id, path]) =>
      path === null ? id : `${id}=${path}`,
    ),
};
