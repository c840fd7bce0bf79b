import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { deleteLink, deleteLinks, findLink, type Link, listLinks } from '../linux/netlink/links.ts';
import type { NetlinkSocket } from '../linux/netlink/socket.ts';
import { EngineError, messageOf } from '../stdx/errors.ts';
import { contains, parseIp, parseSubnet } from '../stdx/ip.ts';
import type { Log } from '../stdx/log.ts';
import { forgetLimits, ifbNameOf, limitEndpoint, unlimited } from './bandwidth.ts';
import { macFromIpv4 } from './bridges.ts';
import {
  bringLoopbackUp,
  connectLink,
  type DefaultRoutes,
  disconnectLink,
  removeKeptLink,
  setDefaultRoutes,
} from './endpoint-links.ts';
import { endpointSettings } from './endpoint-options.ts';
import type { Ipam } from './ipam/ipam.ts';
import { namedGateway } from './ipam/pools.ts';
import { type Bandwidth, type Endpoint, type EndpointOptions, hasLinks, type Network } from './network.ts';
import type { NetworkRecords } from './records.ts';

/** Where a container is on a network. */
export type Place = Pick<Endpoint, 'containerId' | 'networkId' | 'ipv4' | 'ipv6'>;

/** Containers' places on networks: a row and an address first, then links in the kernel. */
export class Endpoints {
  readonly #records: NetworkRecords;
  readonly #ipam: Ipam;
  readonly #socket: NetlinkSocket;
  /** Written on our links' host ends: whose they are, when two daemons share a host. */
  readonly #group: number;
  readonly #log: Log;
  readonly #sweeps = new Set<NodeJS.Timeout>();

  constructor(parts: {
    records: NetworkRecords;
    ipam: Ipam;
    socket: NetlinkSocket;
    group: number;
    log: Log;
  }) {
    this.#records = parts.records;
    this.#ipam = parts.ipam;
    this.#socket = parts.socket;
    this.#group = parts.group;
    this.#log = parts.log;
  }

  allocate(network: Network, options: EndpointOptions): Endpoint {
    if (network.configuration !== undefined) {
      throw new EngineError('forbidden', 'cannot create endpoint on configuration-only network');
    }
    checkOptions(network, options);
    const { containerId, containerName } = options;
    if (this.#records.endpointsOfContainer(containerId).some(other => other.networkId === network.id)) {
      throw new EngineError(
        'forbidden',
        `endpoint with name ${containerName} already exists in network ${network.name}`,
      );
    }
    const ipv4 = this.#ipam.allocate(network, 4, containerId, options.ipv4);
    let ipv6: Endpoint['ipv6'];
    try {
      ipv6 = this.#ipam.allocate(network, 6, containerId, options.ipv6);
      const endpoint = newEndpoint(network, options, ipv4, ipv6);
      this.#records.putEndpoint(endpoint);
      return endpoint;
    } catch (error) {
      this.#ipam.release(network.id, ipv4);
      this.#ipam.release(network.id, ipv6);
      throw error;
    }
  }

  /**
   * Keeps the addresses of these endpoints for their container while they come and go, until `unpin`. One that
   * another container has by now is not kept: after a crash of the daemon that can be.
   */
  pin(places: readonly Place[]): void {
    for (const { containerId, networkId, ipv4, ipv6 } of places) {
      const others = this.#records
        .endpointsOfNetwork(networkId)
        .filter(other => other.containerId !== containerId);
      const taken = new Set(others.flatMap(other => [other.ipv4?.address, other.ipv6?.address]));
      for (const held of [ipv4, ipv6]) {
        if (held !== undefined && !taken.has(held.address)) this.#ipam.pin(containerId, networkId, held);
      }
    }
  }

  unpin(containerId: string): void {
    this.#ipam.unpin(containerId, this.#records.endpointsOfContainer(containerId));
  }

  connect(endpoint: Endpoint, namespacePath: string, interfaceName: string | undefined): Endpoint {
    const network = this.#records.network(endpoint.networkId);
    if (network === undefined || !hasLinks(network)) {
      if (endpoint.driver === 'null') bringLoopbackUp(namespacePath);
      return endpoint;
    }
    const connected = {
      ...endpoint,
      interfaceName:
        interfaceName ??
        endpoint.wantedName ??
        this.#freeInterfaceName(endpoint.containerId, network.bridge?.containerPrefix ?? 'eth'),
    };
    const routes = routesBy(this.#gatewaysWith(connected));
    connectLink(this.#socket, connected, { network, namespacePath, routes, group: this.#group });
    try {
      if (connected.bandwidth !== undefined) limitEndpoint(this.#socket, connected, this.#group);
    } catch (error) {
      this.#deleteLinks(connected, namespacePath);
      throw error;
    }
    this.#records.putEndpoint(connected);
    return connected;
  }

  /** Changes the limits of all of a container's endpoints, of connected ones at once. */
  limit(containerId: string, bandwidth: Bandwidth = unlimited): void {
    for (const endpoint of this.#records.endpointsOfContainer(containerId)) {
      if (!isUnlimited(bandwidth)) refuseLimits(endpoint);
      if (endpoint.bandwidth === undefined && isUnlimited(bandwidth)) continue;
      const limited = { ...endpoint, bandwidth };
      // The row first: what is limited belongs to it, and the next start finds it.
      this.#records.putEndpoint(limited);
      this.limitAgain(limited);
    }
  }

  /** Makes the kernel hold what the row says, in case a change was cut off between the two. */
  limitAgain(endpoint: Endpoint): void {
    if (endpoint.bandwidth === undefined || endpoint.interfaceName === '') return;
    limitEndpoint(this.#socket, endpoint, this.#group);
  }

  disconnect(endpoint: Endpoint, namespacePath: string | undefined): Endpoint {
    this.#deleteLinks(endpoint, namespacePath);
    const disconnected = { ...endpoint, interfaceName: '' };
    if (this.#records.endpoint(endpoint.id) !== undefined) this.#records.putEndpoint(disconnected);
    const routes = routesBy(this.#gatewaysAmong(this.#records.endpointsOfContainer(endpoint.containerId)));
    if (namespacePath !== undefined) setDefaultRoutes(namespacePath, routes);
    return disconnected;
  }

  /**
   * Forgets endpoints whose container ended. Their links go away with the container's namespace, which the kernel
   * cleans up on its own time; what is still there after a while (somebody else holds the namespace) is deleted then.
   * @param kept namespaces that may be the container's, as other containers share them and run.
   */
  release(endpoints: readonly Endpoint[], kept: readonly string[] = []): void {
    const known = endpoints.flatMap(endpoint => this.#records.endpoint(endpoint.id) ?? []);
    if (known.length === 0) return;
    for (const endpoint of known) {
      if (endpoint.interfaceName === '' || endpoint.hostLinkName !== '') continue;
      for (const namespacePath of kept) this.#removeKept(endpoint, namespacePath);
    }
    this.#records.together(() => {
      for (const endpoint of known) this.#records.deleteEndpoint(endpoint);
    });
    for (const endpoint of known) {
      forgetLimits(this.#socket, endpoint);
      this.#ipam.release(endpoint.networkId, endpoint.ipv4);
      this.#ipam.release(endpoint.networkId, endpoint.ipv6);
    }
    this.#sweepLater(
      known
        .filter(endpoint => endpoint.interfaceName !== '' && endpoint.hostLinkName !== '')
        .map(endpoint => endpoint.hostLinkName),
    );
  }

  rename(containerId: string, containerName: string): void {
    this.#records.together(() => {
      for (const endpoint of this.#records.endpointsOfContainer(containerId)) {
        const dnsNames = endpoint.dnsNames.map(name =>
          name === endpoint.containerName ? containerName : name,
        );
        this.#records.putEndpoint({ ...endpoint, containerName, dnsNames });
      }
    });
  }

  /** Links of ours that belong to no endpoint: a start was cut off, or their container ended without us. */
  removeStrayLinks(): void {
    const owned = new Set(
      this.#records
        .endpoints()
        .flatMap(endpoint => [
          endpoint.hostLinkName,
          ...(endpoint.bandwidth === undefined ? [] : [ifbNameOf(endpoint)]),
        ]),
    );
    deleteLinks(
      this.#socket,
      this.#ownLinks().filter(link => !owned.has(link.name)),
    );
  }

  removeLinks(): void {
    deleteLinks(this.#socket, this.#ownLinks());
  }

  /** Which of a container's connected endpoints leads out of the host, and has its published ports. */
  gatewayOf(containerId: string): Endpoint | undefined {
    const { ipv4, ipv6 } = this.#gatewaysAmong(this.#records.endpointsOfContainer(containerId));
    return ipv4 ?? ipv6;
  }

  close(): void {
    for (const timer of this.#sweeps) clearTimeout(timer);
  }

  #deleteLinks(endpoint: Endpoint, namespacePath: string | undefined): void {
    disconnectLink(this.#socket, endpoint, namespacePath);
    forgetLimits(this.#socket, endpoint);
  }

  /** Who shared the namespace may end at the same time. */
  #removeKept(endpoint: Endpoint, namespacePath: string): void {
    try {
      removeKeptLink(endpoint, namespacePath);
    } catch (error) {
      this.#log.warn(
        { error: messageOf(error), endpoint },
        'a link may be left in a shared network namespace',
      );
    }
  }

  #ownLinks(): Link[] {
    return listLinks(this.#socket).filter(
      ({ kind, group }) => (kind === 'veth' || kind === 'ifb') && group === this.#group,
    );
  }

  #gatewaysWith(connected: Endpoint): Gateways {
    const others = this.#records
      .endpointsOfContainer(connected.containerId)
      .filter(other => other.id !== connected.id);
    return this.#gatewaysAmong([...others, connected]);
  }

  /**
   * Highest priority first, then those that lead out by both families, then the network's name, as in Docker; internal
   * networks lead nowhere.
   */
  #gatewaysAmong(endpoints: readonly Endpoint[]): Gateways {
    const leading = endpoints
      .filter(endpoint => endpoint.interfaceName !== '')
      .filter(endpoint => this.#records.network(endpoint.networkId)?.internal === false)
      .map(endpoint => {
        const routed = isRouted(this.#records.network(endpoint.networkId));
        const ipv4 = endpoint.ipv4 !== undefined && (routed || endpoint.gatewayIpv4 !== undefined);
        const ipv6 = endpoint.ipv6 !== undefined && (routed || endpoint.gatewayIpv6 !== undefined);
        return { endpoint, ipv4, ipv6 };
      })
      .sort(
        (one, other) =>
          other.endpoint.gatewayPriority - one.endpoint.gatewayPriority ||
          Number(other.ipv4 && other.ipv6) - Number(one.ipv4 && one.ipv6) ||
          compare(one.endpoint.networkName, other.endpoint.networkName),
      );
    return {
      ipv4: leading.find(({ ipv4 }) => ipv4)?.endpoint,
      ipv6: leading.find(({ ipv6 }) => ipv6)?.endpoint,
    };
  }

  #freeInterfaceName(containerId: string, prefix: string): string {
    const taken = new Set(
      this.#records
        .endpointsOfContainer(containerId)
        .flatMap(({ interfaceName, wantedName }) => [interfaceName, wantedName]),
    );
    for (let index = 0; ; index++) if (!taken.has(`${prefix}${index}`)) return `${prefix}${index}`;
  }

  #sweepLater(hostLinkNames: string[]): void {
    if (hostLinkNames.length === 0) return;
    const timer = setTimeout(() => {
      this.#sweeps.delete(timer);
      for (const name of hostLinkNames)
        if (findLink(this.#socket, name) !== undefined) deleteLink(this.#socket, name);
    }, sweepAfterMs).unref();
    this.#sweeps.add(timer);
  }
}

const sweepAfterMs = 3000;

/** The endpoints that have a container's default routes, one for each family. */
interface Gateways {
  ipv4?: Endpoint;
  ipv6?: Endpoint;
}

function routesBy({ ipv4, ipv6 }: Gateways): DefaultRoutes {
  return {
    ipv4: ipv4 && { interfaceName: ipv4.interfaceName, gateway: ipv4.gatewayIpv4 },
    ipv6: ipv6 && { interfaceName: ipv6.interfaceName, gateway: ipv6.gatewayIpv6 },
  };
}

/** In these modes ipvlan has no neighbours and no gateway: the host's routes decide about every packet. */
function isRouted(network: Network | undefined): boolean {
  const stacking = network?.parent?.stacking;
  return stacking?.kind === 'ipvlan' && stacking.mode !== 'l2';
}

function isUnlimited(bandwidth: Bandwidth): boolean {
  return isDeepStrictEqual(bandwidth, unlimited);
}

/** The limits hang on the host's end of a cable; these drivers have none. */
function refuseLimits({ driver, networkName }: Pick<Endpoint, 'driver' | 'networkName'>): void {
  if (driver !== 'macvlan' && driver !== 'ipvlan') return;
  throw new EngineError(
    'notImplemented',
    `bandwidth limits are not supported on network ${networkName}, whose driver is ${driver}`,
  );
}

/** A link group made from the daemon's id; 0 is the group of all links nobody grouped. */
export function groupOf(id: string): number {
  return Number.parseInt(id.slice(0, 7), 16) + 1;
}

function checkOptions(network: Network, options: EndpointOptions): void {
  // Refused before anything is reserved.
  endpointSettings(options);
  const asksAddress = Boolean(options.ipv4) || Boolean(options.ipv6);
  if (network.predefined) {
    if (asksAddress) {
      throw new EngineError(
        'invalid',
        'user specified IP address is supported on user defined networks only',
      );
    }
    if ((options.aliases ?? []).length > 0) {
      throw new EngineError(
        'invalid',
        'network-scoped alias is supported only for containers in user defined networks',
      );
    }
  }
  if (asksAddress && (!network.subnetsGiven || (options.ipv6 && !network.enableIPv6))) {
    throw new EngineError(
      'invalid',
      'user specified IP address is supported only when connecting to networks with user configured subnets',
    );
  }
  if (options.bandwidth !== undefined) refuseLimits({ driver: network.driver, networkName: network.name });
  if (options.macAddress && network.driver === 'ipvlan') {
    throw new EngineError('invalid', 'ipvlan interfaces do not support custom mac address assignment');
  }
  if (options.macAddress && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(options.macAddress)) {
    throw new EngineError('invalid', `invalid MAC address: ${options.macAddress}`);
  }
}

function newEndpoint(
  network: Network,
  options: EndpointOptions,
  ipv4: Endpoint['ipv4'],
  ipv6: Endpoint['ipv6'],
): Endpoint {
  const id = randomBytes(32).toString('hex');
  // An ipvlan has its parent's MAC address.
  const hasMac = hasLinks(network) && network.driver !== 'ipvlan';
  return {
    id,
    networkId: network.id,
    networkName: network.name,
    driver: network.driver,
    containerId: options.containerId,
    containerName: options.containerName,
    macAddress: hasMac ? macFor(options.macAddress, ipv4, id) : '',
    ipv4,
    ipv6,
    gatewayIpv4: isRouted(network) ? undefined : gatewayOf(network, ipv4),
    gatewayIpv6: isRouted(network) ? undefined : gatewayOf(network, ipv6),
    aliases: [...(options.aliases ?? [])],
    dnsNames: dnsNames(options),
    links: { ...options.links },
    gatewayPriority: options.gatewayPriority ?? 0,
    interfaceName: '',
    hostLinkName: network.bridge !== undefined ? `veth${id.slice(0, 7)}` : '',
    bandwidth: options.bandwidth,
    ...endpointSettings(options),
  };
}

/** Docker's: made from the IPv4 address, so that neighbours' caches stay right when an address comes back. */
function macFor(asked: string | undefined, ipv4: Endpoint['ipv4'], id: string): string {
  if (asked) return asked.toLowerCase();
  const address = ipv4 === undefined ? undefined : parseIp(ipv4.address);
  return address === undefined ? `02:42:${id.slice(0, 8).match(/../g)!.join(':')}` : macFromIpv4(address);
}

/** The gateway of the subnet the address is in: the only one it can reach. */
function gatewayOf(network: Network, held: Endpoint['ipv4']): string | undefined {
  const address = held === undefined ? undefined : parseIp(held.address);
  if (address === undefined) return undefined;
  const pool = network.ipam.pools.find(candidate => contains(parseSubnet(candidate.subnet)!, address));
  return pool && (namedGateway(pool) ?? pool.gateway);
}

function dnsNames({ containerName, containerId, aliases = [], hostname = '' }: EndpointOptions): string[] {
  const names = [containerName, containerId.slice(0, 12), ...aliases, hostname];
  return [...new Set(names.filter(name => name !== ''))];
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
