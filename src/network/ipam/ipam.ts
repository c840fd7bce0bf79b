import { EngineError } from '../../stdx/errors.ts';
import { contains, formatIp, type IpAddress, parseIp } from '../../stdx/ip.ts';
import type { Endpoint, InterfaceAddress, Network } from '../network.ts';
import { AddressPool } from './address-pool.ts';

/**
 * Who has which address, for all networks. It lives in memory only: the endpoints in the database say all there is
 * to know, and are told to it at start.
 */
export class Ipam {
  readonly #pools = new Map<string, AddressPool[]>();
  /** What a container had last on a network: it gets it again when it is still free. */
  readonly #last = new Map<string, IpAddress>();
  /** Kept for a container whose endpoints come and go while it is edited. */
  readonly #pinned = new Map<string, IpAddress>();

  addNetwork(network: Network): void {
    this.#pools.set(
      network.id,
      network.ipam.pools.map(pool => new AddressPool(pool)),
    );
  }

  removeNetwork(networkId: string): void {
    this.#pools.delete(networkId);
  }

  /** Takes the addresses of an endpoint that exists already. */
  adopt(endpoint: Endpoint): void {
    for (const held of [endpoint.ipv4, endpoint.ipv6]) {
      const address = held === undefined ? undefined : parseIp(held.address);
      if (address !== undefined) this.#poolOf(endpoint.networkId, address)?.reserve(address);
    }
  }

  /**
   * One address of a family the network has.
   * @param asked a certain address.
   * @returns undefined when the network has no subnet of this family (and none was asked for).
   */
  allocate(
    network: Network,
    family: 4 | 6,
    containerId: string,
    asked: string | undefined,
  ): InterfaceAddress | undefined {
    const key = `${network.id} ${family} ${containerId}`;
    const pinned = this.#pinned.get(key);
    if (pinned !== undefined && (!asked || parseIp(asked)?.value === pinned.value)) {
      const { prefixLength } = this.#poolOf(network.id, pinned)!.subnet;
      return { address: formatIp(pinned), prefixLength };
    }
    if (asked !== undefined && asked !== '') return this.#reserve(network, family, asked);
    const pools = this.#poolsOf(network.id, family);
    if (pools.length === 0) return undefined;
    const [pool, address] = allocateFrom(pools, this.#last.get(key));
    this.#remember(key, address);
    return { address: formatIp(address), prefixLength: pool.subnet.prefixLength };
  }

  release(networkId: string, held: InterfaceAddress | undefined): void {
    const address = held === undefined ? undefined : parseIp(held.address);
    if (address === undefined || this.#isPinned(networkId, address)) return;
    this.#poolOf(networkId, address)?.release(address);
  }

  /** Keeps an address for a container, in use by it or free, until `unpin`. */
  pin(containerId: string, networkId: string, held: InterfaceAddress | undefined): void {
    const address = held === undefined ? undefined : parseIp(held.address);
    const pool = address === undefined ? undefined : this.#poolOf(networkId, address);
    if (address === undefined || pool === undefined) return;
    if (!pool.isTaken(address)) pool.reserve(address);
    this.#pinned.set(`${networkId} ${address.family} ${containerId}`, address);
  }

  /** @param inUse the endpoints the container has now: their addresses stay taken */
  unpin(containerId: string, inUse: readonly Endpoint[]): void {
    for (const [key, address] of this.#pinned) {
      const [networkId = '', , owner] = key.split(' ');
      if (owner !== containerId) continue;
      this.#pinned.delete(key);
      const endpoint = inUse.find(candidate => candidate.networkId === networkId);
      const text = formatIp(address);
      if (endpoint?.ipv4?.address === text || endpoint?.ipv6?.address === text) continue;
      this.#poolOf(networkId, address)?.release(address);
    }
  }

  #isPinned(networkId: string, address: IpAddress): boolean {
    return [...this.#pinned].some(
      ([key, pinned]) => key.startsWith(`${networkId} ${address.family} `) && pinned.value === address.value,
    );
  }

  #remember(key: string, address: IpAddress): void {
    this.#last.delete(key);
    this.#last.set(key, address);
    const [oldest] = this.#last.keys();
    if (this.#last.size > rememberedAddresses && oldest !== undefined) this.#last.delete(oldest);
  }

  #reserve(network: Network, family: 4 | 6, asked: string): InterfaceAddress {
    const address = parseIp(asked);
    if (address === undefined || address.family !== family) {
      throw new EngineError('invalid', `invalid IPv${family} address: ${asked}`);
    }
    const pool = this.#poolOf(network.id, address);
    if (pool === undefined) {
      throw new EngineError(
        'invalid',
        `Invalid address ${asked}: It does not belong to any of this network's subnets`,
      );
    }
    pool.reserve(address);
    return { address: formatIp(address), prefixLength: pool.subnet.prefixLength };
  }

  #poolsOf(networkId: string, family: 4 | 6): AddressPool[] {
    return (this.#pools.get(networkId) ?? []).filter(pool => pool.subnet.family === family);
  }

  #poolOf(networkId: string, address: IpAddress): AddressPool | undefined {
    return this.#poolsOf(networkId, address.family).find(pool => contains(pool.subnet, address));
  }
}

/** More than a machine has containers; those of removed containers fall out in time. */
const rememberedAddresses = 5000;

/** From the first pool that has one left; a network may have several subnets. */
function allocateFrom(pools: AddressPool[], preferred: IpAddress | undefined): [AddressPool, IpAddress] {
  let full: unknown;
  for (const pool of pools) {
    try {
      return [
        pool,
        pool.allocate(preferred !== undefined && contains(pool.subnet, preferred) ? preferred : undefined),
      ];
    } catch (error) {
      full = error;
    }
  }
  throw full;
}
