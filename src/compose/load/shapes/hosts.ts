import { below, mapping, type Node, scalar, sequence, textOf } from '../node.ts';
import { valueText } from './collections.ts';
import { fault, type Shape } from './shape.ts';

/** `extra_hosts`: `name=address`, `name:address` or a mapping; a name may have several addresses. */
export const extraHosts: Shape = {
  // Of a list, which they are where they stay as they are written.
  keyOf: valueText,
  canonical(node, path, reading) {
    if (!reading.interpolates) return node;
    const hosts = new Map<string, Node[]>();
    const add = (name: string, address: string, from: Node) => {
      // An IPv6 address may be in brackets, as in a URL.
      const bare = address.replace(/^\[(.*)\]$/, '$1');
      hosts.set(name, [...(hosts.get(name) ?? []), scalar(bare, from)]);
    };
    if (node.kind === 'sequence') {
      node.items.forEach((item, at) => {
        const match = /^([^=:]+)[=:](.+)$/.exec(textOf(item) ?? '');
        if (match === null)
          throw fault(
            item,
            `${below(path, at)}: bad host name ${JSON.stringify(valueText(item))}, expected name=address`,
          );
        add(match[1]!.trim(), match[2]!, item);
      });
    } else if (node.kind === 'mapping') {
      for (const [name, value] of node.entries) {
        const addresses = value.kind === 'sequence' ? value.items : [value];
        for (const address of addresses) {
          const written = textOf(address);
          if (written === undefined)
            throw fault(address, `${below(path, name)} must be a string or array of strings`);
          add(name, written, address);
        }
      }
    } else throw fault(node, `${path} must be a mapping or array`);
    return mapping(
      Array.from(hosts, ([name, addresses]) => [name, sequence(addresses, addresses[0]!)] as const),
      node,
    );
  },
  printed: hosts =>
    Object.entries(hosts as Record<string, string[]>)
      .flatMap(([name, addresses]) => addresses.map(address => `${name}=${address}`))
      .sort(),
  of: {
    canonical: node => node,
    keyOf: valueText,
  },
};
