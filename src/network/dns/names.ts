import { formatIp, ipFromBytes } from '../../stdx/ip.ts';
import type { Endpoint } from '../network.ts';

/** What the embedded name server needs to know of the networks; the records of the controller give it. */
export interface NameSource {
  endpointsOfContainer(containerId: string): readonly Endpoint[];
  endpointsOfNetwork(networkId: string): readonly Endpoint[];
  /** Networks whose containers find each other by name: bridges made by users. */
  hasNames(networkId: string): boolean;
  /** Whether containers on this network reach the outside; decides about forwarding. */
  leadsOut(networkId: string): boolean;
}

/** The running endpoints a name stands for, seen from one container; undefined when nothing has this name. */
export function resolveName(source: NameSource, containerId: string, asked: string): Endpoint[] | undefined {
  const name = asked.toLowerCase().replace(/\.$/, '');
  const found = new Map<string, Endpoint>();
  for (const own of namedEndpoints(source, containerId)) {
    const candidates = [name, withoutNetwork(name, own.networkName)];
    for (const endpoint of source.endpointsOfNetwork(own.networkId)) {
      if (!isConnected(endpoint)) continue;
      if (candidates.some(candidate => candidate !== undefined && answersTo(endpoint, candidate, own))) {
        found.set(endpoint.id, endpoint);
      }
    }
    // The first network that knows the name answers, as in Docker: the same name may be another service elsewhere.
    if (found.size > 0) break;
  }
  return found.size === 0 ? undefined : [...found.values()];
}

/** `5.0.18.172.in-addr.arpa` -> `web.app`, when this address belongs to a container on one of the networks. */
export function resolveAddress(source: NameSource, containerId: string, asked: string): string | undefined {
  const address = parsePointer(asked.toLowerCase().replace(/\.$/, ''));
  if (address === undefined) return undefined;
  for (const own of namedEndpoints(source, containerId)) {
    for (const endpoint of source.endpointsOfNetwork(own.networkId)) {
      if (!isConnected(endpoint)) continue;
      if (endpoint.ipv4?.address === address || endpoint.ipv6?.address === address) {
        return `${endpoint.containerName}.${endpoint.networkName}`;
      }
    }
  }
  return undefined;
}

/** A container on internal networks only asks nobody outside. */
export function mayForward(source: NameSource, containerId: string): boolean {
  return source.endpointsOfContainer(containerId).some(endpoint => source.leadsOut(endpoint.networkId));
}

/** The address in a name of the reverse zones (RFC 1035 3.5, RFC 3596 2.5). */
export function parsePointer(name: string): string | undefined {
  const four = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  if (four !== null) return four.slice(1).reverse().join('.');
  const six = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name);
  if (six === null) return undefined;
  const digits = six[1]!.replaceAll('.', '').split('').reverse().join('');
  return formatIp(ipFromBytes(Buffer.from(digits, 'hex')));
}

/** In Docker's order: who would rather have the default route is asked first. */
function namedEndpoints(source: NameSource, containerId: string): Endpoint[] {
  const rank = (endpoint: Endpoint) => [
    -endpoint.gatewayPriority,
    source.leadsOut(endpoint.networkId) ? 0 : 1,
    endpoint.ipv6 === undefined ? 1 : 0,
    endpoint.networkName,
  ];
  return source
    .endpointsOfContainer(containerId)
    .filter(endpoint => source.hasNames(endpoint.networkId))
    .map(endpoint => ({ endpoint, rank: rank(endpoint) }))
    .sort((one, other) => compareRanks(one.rank, other.rank))
    .map(({ endpoint }) => endpoint);
}

function compareRanks(one: (number | string)[], other: (number | string)[]): number {
  const at = one.findIndex((value, index) => value !== other[index]);
  return at === -1 ? 0 : one[at]! < other[at]! ? -1 : 1;
}

function isConnected(endpoint: Endpoint): boolean {
  return endpoint.interfaceName !== '';
}

/** `web.app` on the network `app` is `web`. */
function withoutNetwork(name: string, networkName: string): string | undefined {
  const suffix = `.${networkName.toLowerCase()}`;
  return name.endsWith(suffix) && name.length > suffix.length ? name.slice(0, -suffix.length) : undefined;
}

/** An endpoint never changes: its names are put into small letters once, not at every question. */
function namesOf(endpoint: Endpoint): ReadonlySet<string> {
  let names = knownNames.get(endpoint);
  if (names === undefined) {
    names = new Set(endpoint.dnsNames.map(name => name.toLowerCase()));
    knownNames.set(endpoint, names);
  }
  return names;
}

const knownNames = new WeakMap<Endpoint, ReadonlySet<string>>();

/** @param asking whose `--link`s count besides the names everybody knows. */
function answersTo(endpoint: Endpoint, name: string, asking: Endpoint): boolean {
  if (namesOf(endpoint).has(name)) return true;
  return Object.entries(asking.links).some(
    ([alias, target]) =>
      alias.toLowerCase() === name && (target === endpoint.containerId || target === endpoint.containerName),
  );
}
