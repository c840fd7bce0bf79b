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

/** dockerd's own defaults (libnetwork/ipamutils): 31 networks. */
export const defaultPools: readonly PoolSource[] = [
  { base: '172.17.0.0/16', size: 16 },
  { base: '172.18.0.0/16', size: 16 },
  { base: '172.19.0.0/16', size: 16 },
  { base: '172.20.0.0/14', size: 16 },
  { base: '172.24.0.0/14', size: 16 },
  { base: '172.28.0.0/14', size: 16 },
  { base: '192.168.0.0/16', size: 20 },
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
 * @param networkId makes the IPv6 subnet (ULA, RFC 4193) when IPv6 is on and none was given.
 */
export function planPools(
  requests: readonly PoolRequest[],
  options: { enableIPv6: boolean; networkId: string } & PoolSurroundings,
): IpamPool[] {
  const pools: IpamPool[] = [];
  const taken = [...options.networks];
  const add = (pool: IpamPool) => {
    pools.push(pool);
    taken.push(parseSubnet(pool.subnet)!);
  };
  for (const request of requests) {
    if (request.subnet !== undefined && request.subnet !== '') add(askedPool(request, request.subnet, taken));
    else add(chosenPool(request, { ...options, networks: taken }));
  }
  const families = new Set(pools.map(pool => parseSubnet(pool.subnet)!.family));
  if (families.has(6) && !options.enableIPv6) {
    throw new EngineError(
      'invalid',
      'invalid network config: IPv6 subnet given, but IPv6 is not enabled for the network',
    );
  }
  if (!families.has(4)) pools.unshift(chosenPool({}, { ...options, networks: taken }));
  if (options.enableIPv6 && !families.has(6)) add(localPool(options.networkId, taken));
  return pools;
}

/** The first subnet of the sources that meets nothing. @throws exhausted, in Docker's words */
export function chooseSubnet({ sources, networks, host }: PoolSurroundings): Subnet {
  for (const source of sources) {
    for (const candidate of cut(source)) {
      if (![...networks, ...host].some(other => overlaps(candidate, other))) return candidate;
    }
  }
  throw new EngineError(
    'exhausted',
    'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network',
  );
}

function* cut({ base, size }: PoolSource): Generator<Subnet> {
  const whole = parseSubnet(base);
  if (whole === undefined || size < whole.prefixLength || size > bitsOf(whole.family)) {
    throw new EngineError('invalid', `invalid address pool ${base}, size ${size}`);
  }
  const step = sizeOf({ ...whole, prefixLength: size });
  for (let first = whole.first; first <= lastOf(whole); first += step) {
    yield { family: whole.family, first, prefixLength: size };
  }
}

function chosenPool(request: PoolRequest, surroundings: PoolSurroundings): IpamPool {
  return completePool(request, chooseSubnet(surroundings));
}

function askedPool(request: PoolRequest, text: string, taken: readonly Subnet[]): IpamPool {
  const asked = parseInterface(text);
  if (asked === undefined) {
    throw new EngineError('invalid', `invalid subnet ${text} : invalid CIDR address: ${text}`);
  }
  if (taken.some(other => overlaps(other, asked.subnet))) {
    throw new EngineError('forbidden', 'Pool overlaps with other one on this address space');
  }
  return completePool(request, asked.subnet);
}

/** `fd` and 40 bits that differ from host to host and network to network (RFC 4193), as a /64. */
function localPool(networkId: string, taken: readonly Subnet[]): IpamPool {
  for (let skip = 0; skip + 10 <= networkId.length; skip++) {
    const bits = networkId.slice(skip, skip + 10);
    const subnet = parseSubnet(`fd${bits.slice(0, 2)}:${bits.slice(2, 6)}:${bits.slice(6, 10)}::/64`)!;
    if (!taken.some(other => overlaps(other, subnet))) return completePool({}, subnet);
  }
  throw new EngineError('exhausted', 'could not find an available, non-overlapping IPv6 address pool');
}

function completePool(request: PoolRequest, subnet: Subnet): IpamPool {
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
    : firstAddress(
        { subnet, ipRange },
        auxiliary.map(([, address]) => address),
      );
  if (auxiliary.some(([, address]) => address.value === gateway.value)) {
    throw new EngineError(
      'forbidden',
      `failed to allocate gateway (${formatIp(gateway)}): Address already in use`,
    );
  }
  return {
    subnet: formatSubnet(subnet),
    gateway: formatIp(gateway),
    ...(ipRange === undefined ? {} : { ipRange: formatSubnet(ipRange) }),
    ...(auxiliary.length === 0
      ? {}
      : { auxAddresses: Object.fromEntries(auxiliary.map(([name, address]) => [name, formatIp(address)])) }),
  };
}

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
