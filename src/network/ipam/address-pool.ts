import { EngineError } from '../../stdx/errors.ts';
import {
  contains,
  type IpAddress,
  isLoopback,
  lastOf,
  parseIp,
  parseSubnet,
  type Subnet,
} from '../../stdx/ip.ts';
import type { IpamPool } from '../network.ts';

/**
 * The addresses of one subnet. Free ones are given out in turn, so that an address that was just freed comes last:
 * its old owner's peers may still have it in their caches.
 */
export class AddressPool {
  readonly subnet: Subnet;
  readonly #range: { first: bigint; last: bigint };
  readonly #reserved = new Set<bigint>();
  readonly #used = new Set<bigint>();
  #next: bigint;

  constructor(pool: IpamPool) {
    this.subnet = parseSubnet(pool.subnet)!;
    const range = pool.ipRange === undefined ? this.subnet : parseSubnet(pool.ipRange)!;
    this.#range = { first: range.first, last: lastOf(range) };
    this.#next = range.first;
    for (const value of networkAndBroadcast(this.subnet)) this.#reserved.add(value);
    for (const text of [pool.gateway, ...Object.values(pool.auxAddresses ?? {})]) {
      const address = text === undefined ? undefined : parseIp(text);
      if (address !== undefined) this.#reserved.add(address.value);
    }
  }

  /**
   * @param preferred is given when it is free: a container that comes back keeps its address.
   * @throws exhausted
   */
  allocate(preferred?: IpAddress): IpAddress {
    if (preferred !== undefined && this.#inRange(preferred.value) && this.#isFree(preferred.value)) {
      return this.#take(preferred.value);
    }
    const { first, last } = this.#range;
    // Everything but what is taken is free, so a free address shows up after at most that many steps.
    const steps = Math.min(this.#used.size + this.#reserved.size + 1, Number(last - first + 1n));
    for (let step = 0; step < steps; step++) {
      const value = this.#next;
      this.#next = value >= last ? first : value + 1n;
      if (this.#isFree(value)) return this.#take(value);
    }
    throw new EngineError(
      'exhausted',
      `no available IPv${this.subnet.family} addresses on this address pool`,
    );
  }

  /** Takes one certain address. @throws forbidden "Address already in use", invalid when it is none of this pool. */
  reserve(address: IpAddress): IpAddress {
    if (!contains(this.subnet, address))
      throw new EngineError('invalid', 'Requested address is out of range');
    if (!this.#isFree(address.value)) throw new EngineError('forbidden', 'Address already in use');
    return this.#take(address.value);
  }

  release(address: IpAddress): void {
    this.#used.delete(address.value);
  }

  isTaken(address: IpAddress): boolean {
    return !this.#isFree(address.value);
  }

  #isFree(value: bigint): boolean {
    return !this.#used.has(value) && !this.#reserved.has(value);
  }

  #inRange(value: bigint): boolean {
    return value >= this.#range.first && value <= this.#range.last;
  }

  #take(value: bigint): IpAddress {
    this.#used.add(value);
    return { family: this.subnet.family, value };
  }
}

/** An address nobody can be given; a /31 and /32 have none (RFC 3021), IPv6 has no broadcast. */
function networkAndBroadcast(subnet: Subnet): bigint[] {
  if (subnet.family === 6) return [subnet.first];
  return subnet.prefixLength >= 31 ? [] : [subnet.first, lastOf(subnet)];
}

/** The first address a gateway may have: of the range when one is given, as Docker chooses it. */
export function firstAddress(
  pool: { subnet: Subnet; ipRange?: Subnet },
  taken: readonly IpAddress[],
): IpAddress {
  const within = pool.ipRange ?? pool.subnet;
  const never = new Set([...networkAndBroadcast(pool.subnet), ...taken.map(address => address.value)]);
  for (let value = within.first; value <= lastOf(within); value++) {
    const address = { family: within.family, value };
    if (!never.has(value) && !isLoopback(address)) return address;
  }
  throw new EngineError('exhausted', `no available IPv${within.family} addresses on this address pool`);
}
