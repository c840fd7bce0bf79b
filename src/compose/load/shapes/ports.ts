import { isIP } from 'node:net';
import { below, entryOf, mapping, type Node, scalar, sequence } from '../node.ts';
import { object } from './collections.ts';
import { goText, text, textOrNumber, whole } from './scalars.ts';
import { fault, isOpen, type Reading, type Shape, withoutRepeats } from './shape.ts';

const port = object(
  {
    name: text,
    mode: text,
    host_ip: text,
    target: whole({ min: 1, max: 65_535 }),
    published: textOrNumber,
    protocol: text,
    app_protocol: text,
  },
  {
    completed(entries, node) {
      if (!entries.has('protocol')) entries.set('protocol', scalar('tcp', node));
      if (!entries.has('mode')) entries.set('mode', scalar('ingress', node));
    },
  },
);

/** Published ports: `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]` with ranges, or objects. */
export const ports: Shape = {
  of: port,
  keyOf: item => ['host_ip', 'published', 'target', 'protocol'].map(key => fieldText(item, key)).join(' '),
  canonical(node, path, reading) {
    if (node.kind !== 'sequence') throw fault(node, `${path} must be an array`);
    const all = node.items.flatMap((item, at) => portsOf(item, below(path, at), reading));
    return sequence(withoutRepeats(all, ports), node);
  },
};

function fieldText(item: Node, key: string): string {
  const value = item.kind === 'scalar' ? item : entryOf(item, key);
  return value?.kind === 'scalar' ? String(value.value) : '';
}

function portsOf(item: Node, path: string, reading: Reading): Node[] {
  if (isOpen(item, reading)) return [item];
  if (item.kind === 'scalar' && (typeof item.value === 'string' || typeof item.value === 'number'))
    return fromText(goText(item.value), item, path).map(each => port.canonical(each, path, reading));
  if (item.kind !== 'mapping') throw fault(item, `${path} must be a mapping, number or string`);
  if (!item.entries.has('target')) throw fault(item, `${path} is missing a target port`);
  const canonical = port.canonical(item, path, reading);
  const address = entryOf(canonical, 'host_ip');
  if (address?.kind === 'scalar' && !isOpen(address, reading) && isIP(String(address.value)) === 0)
    throw fault(address, `${path}: invalid ip address: ${address.value}`);
  return [canonical];
}

/** One object for each port of the container. */
function fromText(written: string, item: Node, path: string): Node[] {
  const wrong = (message: string) => fault(item, `${path}: ${message}`);
  const [spec, protocol = 'tcp', ...more] = written.split('/');
  if (more.length > 0 || !['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase()))
    throw wrong(`invalid protocol in port ${JSON.stringify(written)}: want tcp, udp or sctp`);
  const parts = spec!.split(':');
  const container = parts.pop()!;
  const host = parts.pop() ?? '';
  const address = parts.join(':').replace(/^\[(.*)\]$/, '$1');
  if (address !== '' && isIP(address) === 0) throw wrong(`invalid ip address: ${address}`);
  const targets = rangeOf(container);
  if (targets === undefined) throw wrong(`invalid containerPort: ${container}`);
  const hosts = host === '' ? [] : rangeOf(host);
  if (hosts === undefined) throw wrong(`invalid hostPort: ${host}`);
  // One port of the container and several of the host: the daemon takes one of them.
  const chosenLater = targets.length === 1 && hosts.length > 1;
  if (hosts.length > 0 && !chosenLater && hosts.length !== targets.length)
    throw wrong(`invalid ranges specified for container and host Ports: ${container} and ${host}`);
  return targets.map((target, at) => {
    const entries: [string, Node][] = [['target', scalar(target, item)]];
    if (address !== '') entries.push(['host_ip', scalar(address, item)]);
    if (hosts.length > 0) entries.push(['published', scalar(chosenLater ? host : String(hosts[at]), item)]);
    entries.push(['protocol', scalar(protocol.toLowerCase(), item)]);
    return mapping(entries, item);
  });
}

/** `80` or `80-90`; undefined when it is neither. */
function rangeOf(written: string): number[] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(written);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || last > 65_535 || last < first) return undefined;
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}
