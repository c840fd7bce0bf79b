import { EngineError } from '../../stdx/errors.ts';
import {
  bitsOf,
  contains,
  encloses,
  formatIp,
  formatSubnet,
  type IpAddress,
  lastOf,
  overlaps,
  parseInterface,
  parseIp,
  parseSubnet,
  type Subnet,
  sizeOf,
} from '../../stdx/ip.ts';
import type { IpamPool } from '../network.ts';
import { firstAddress } from './address-pool.ts';

/** A range cut into subnets of one size (Docker's `default-address-pools`). */
export interface PoolSource {
  base: string;
  size: number;
}

/**
 * dockerd's own defaults (libnetwork/ipamutils), enough for 31 networks, and behind them smaller subnets for some 33,000
 * more: private ones (RFC 1918), those between a provider and its customers (RFC 6598), those for measuring (RFC 2544).
 */
export const defaultPools: readonly PoolSource[] = [
  { base: '172.17.0.0/16', size: 16 },
  { base: '172.18.0.0/16', size: 16 },
  { base: '172.19.0.0/16', size: 16 },
  { base: '172.20.0.0/14', size: 16 },
  { base: '172.24.0.0/14', size: 16 },
  { base: '172.28.0.0/14', size: 16 },
  { base: '192.168.0.0/16', size: 20 },
  { base: '10.192.0.0/10', size: 24 },
  { base: '100.64.0.0/10', size: 24 },
  { base: '198.18.0.0/15', size: 24 },
];

export interface PoolRequest {
  subnet?: string;
  gateway?: string;
  ipRange?: string;
  auxAddresses?: Record<string, string>;
}

export interface PoolSurroundings {
  sources: readonly PoolSource[];
  /** Subnets of the other networks: never allowed to overlap. */
  networks: readonly Subnet[];
  /** Where the host's own traffic goes (routes, name servers): avoided when a subnet is chosen, allowed when asked for. */
  host: readonly Subnet[];
}

/**
 * The pools of a new network: asked-for ones checked, missing ones chosen, every one with a gateway.
 * @param options.networkId makes the IPv6 subnet (ULA, RFC 4193) when IPv6 is on and none was given.
 * @param options.ipv6Only no IPv4 at all.
 * @param options.withoutGateway families whose subnets have no gateway.
 */
export function planPools(
  requests: readonly PoolRequest[],
  options: PoolOptions & PoolSurroundings,
): IpamPool[] {
  const pools: IpamPool[] = [];
  const taken = [...options.networks];
  const add = (pool: IpamPool) => {
    pools.push(pool);
    taken.push(parseSubnet(pool.subnet)!);
  };
  for (const request of requests) {
    if (request.subnet !== undefined && request.subnet !== '') {
      add(askedPool(request, request.subnet, taken, options));
    } else if (options.ipv6Only !== true) {
      add(completePool(request, chooseSubnet({ ...options, networks: taken }), options));
    }
  }
  const families = new Set(pools.map(pool => parseSubnet(pool.subnet)!.family));
  if (families.has(6) && !options.enableIPv6) {
    throw new EngineError(
      'invalid',
      'invalid network config: IPv6 subnet given, but IPv6 is not enabled for the network',
    );
  }
  if (families.has(4) && options.ipv6Only === true) {
    throw new EngineError(
      'invalid',
      'invalid network config: IPv4 subnet given, but IPv4 is not enabled for the network',
    );
  }
  if (!families.has(4) && options.ipv6Only !== true) {
    pools.unshift(completePool({}, chooseSubnet({ ...options, networks: taken }), options));
  }
  if (options.enableIPv6 && !families.has(6)) {
    const hasSources = options.sources.some(({ base }) => parseSubnet(base)?.family === 6);
    const subnet = hasSources
      ? chooseSubnet({ ...options, networks: taken }, 6)
      : localSubnet(options.networkId, taken);
    add(completePool({}, subnet, options));
  }
  return pools;
}

export interface PoolOptions {
  enableIPv6: boolean;
  networkId: string;
  ipv6Only?: boolean;
  withoutGateway?: readonly (4 | 6)[];
}

/** The first subnet of the sources that meets nothing. @throws exhausted, in Docker's words */
export function chooseSubnet({ sources, networks, host }: PoolSurroundings, family: 4 | 6 = 4): Subnet {
  const taken = [...networks, ...host.filter(subnet => !isPartOfDefaultRoute(subnet))]
    .filter(subnet => subnet.family === family)
    .sort((one, other) => (one.first < other.first ? -1 : one.first > other.first ? 1 : 0));
  for (const source of sources) {
    const found = firstFree(source, family, taken);
    if (found !== undefined) return found;
  }
  throw new EngineError(
    'exhausted',
    `could not find an available, non-overlapping IPv${family} address pool among the defaults to assign to the network`,
  );
}

/** A VPN that takes everything says so with two or more wide routes, which win over the default route. */
function isPartOfDefaultRoute({ prefixLength }: Subnet): boolean {
  return prefixLength < 8;
}

/** @param taken by first address: each of them moves the candidate on at most once. */
function firstFree({ base, size }: PoolSource, family: 4 | 6, taken: readonly Subnet[]): Subnet | undefined {
  const whole = parseSubnet(base);
  if (whole === undefined || size < whole.prefixLength || size > bitsOf(whole.family)) {
    throw new EngineError('invalid', `invalid address pool ${base}, size ${size}`);
  }
  if (whole.family !== family) return undefined;
  const step = sizeOf({ ...whole, prefixLength: size });
  let first = whole.first;
  for (const other of taken) {
    if (other.first >= first + step) break;
    if (lastOf(other) >= first) first = whole.first + ((lastOf(other) - whole.first) / step + 1n) * step;
  }
  return first > lastOf(whole) ? undefined : { family, first, prefixLength: size };
}

function askedPool(
  request: PoolRequest,
  text: string,
  taken: readonly Subnet[],
  options: PoolOptions,
): IpamPool {
  const asked = parseInterface(text);
  if (asked === undefined) {
    throw new EngineError('invalid', `invalid subnet ${text} : invalid CIDR address: ${text}`);
  }
  if (taken.some(other => overlaps(other, asked.subnet))) {
    throw new EngineError('forbidden', 'Pool overlaps with other one on this address space');
  }
  return completePool(request, asked.subnet, options);
}

/** `fd` and 40 bits that differ from host to host and network to network (RFC 4193), as a /64. */
function localSubnet(networkId: string, taken: readonly Subnet[]): Subnet {
  for (let skip = 0; skip + 10 <= networkId.length; skip++) {
    const bits = networkId.slice(skip, skip + 10);
    const subnet = parseSubnet(`fd${bits.slice(0, 2)}:${bits.slice(2, 6)}:${bits.slice(6, 10)}::/64`)!;
    if (!taken.some(other => overlaps(other, subnet))) return subnet;
  }
  throw new EngineError('exhausted', 'could not find an available, non-overlapping IPv6 address pool');
}

function completePool(request: PoolRequest, subnet: Subnet, options: PoolOptions): IpamPool {
  const ipRange = request.ipRange ? checkedRange(request.ipRange, subnet) : undefined;
  const auxiliary = Object.entries(request.auxAddresses ?? {}).map(
    ([name, text]) =>
      [
        name,
        checkedAddress(text, subnet, `failed to allocate secondary ip address (${name}:${text})`),
      ] as const,
  );
  const gateway = request.gateway
    ? checkedAddress(request.gateway, subnet, `failed to allocate gateway (${request.gateway})`)
    : !options.withoutGateway?.includes(subnet.family)
      ? firstAddress(
          { subnet, ipRange },
          auxiliary.map(([, address]) => address),
        )
      : undefined;
  if (gateway !== undefined && auxiliary.some(([, address]) => address.value === gateway.value)) {
    throw new EngineError(
      'forbidden',
      `failed to allocate gateway (${formatIp(gateway)}): Address already in use`,
    );
  }
  return {
    subnet: formatSubnet(subnet),
    ...(gateway === undefined ? {} : { gateway: formatIp(gateway) }),
    ...(ipRange === undefined ? {} : { ipRange: formatSubnet(ipRange) }),
    ...(auxiliary.length === 0
      ? {}
      : { auxAddresses: Object.fromEntries(auxiliary.map(([name, address]) => [name, formatIp(address)])) }),
  };
}

/** As in Docker, a router named among the auxiliary addresses is the gateway; `gateway` is the host's address only. */
export function namedGateway(pool: Pick<IpamPool, 'subnet' | 'auxAddresses'>): string | undefined {
  return pool.auxAddresses?.[gatewayNames[parseSubnet(pool.subnet)!.family]];
}

const gatewayNames = { 4: 'DefaultGatewayIPv4', 6: 'DefaultGatewayIPv6' } as const;

function checkedRange(text: string, subnet: Subnet): Subnet {
  const range = parseSubnet(text);
  if (range === undefined || !encloses(subnet, range)) {
    throw new EngineError(
      'invalid',
      `failed to parse pool request for address space "LocalDefault" pool "${formatSubnet(subnet)}" subpool "${text}": Invalid Address SubPool`,
    );
  }
  return range;
}

function checkedAddress(text: string, subnet: Subnet, doing: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new EngineError('invalid', `${doing}: invalid IP address: ${text}`);
  if (!contains(subnet, address))
    throw new EngineError('invalid', `${doing}: Requested address is out of range`);
  return address;
}
