import { listAddresses } from '../linux/netlink/addresses.ts';
import { NetlinkSocket } from '../linux/netlink/socket.ts';
import { EngineError, messageOf, within } from '../stdx/errors.ts';
import type { IpAddress } from '../stdx/ip.ts';
import type { Log } from '../stdx/log.ts';
import type { Database } from '../storage/database.ts';
import { dockerBridges, markOf } from './bridges.ts';
import { claimNames } from './claims.ts';
import { defaultFirewallTable, type NetworkConfig } from './config.ts';
import { isMissingBridge } from './default-networks.ts';
import type { NameSource } from './dns/names.ts';
import { asksForDots, EmbeddedResolver } from './dns/resolver.ts';
import { Egress, type EgressView } from './egress.ts';
import { isConnected, readStatistics, reattachPort } from './endpoint-links.ts';
import { Endpoints, groupOf, type Place } from './endpoints.ts';
import { fallbackServers, type HostsEntry } from './files.ts';
import { Firewall } from './firewall/firewall.ts';
import { firewallBridge } from './firewall/ruleset.ts';
import { watchFirewall } from './firewall/watch.ts';
import { Forwarding } from './forwarding.ts';
import { Ipam } from './ipam/ipam.ts';
import {
  type Bandwidth,
  type Endpoint,
  type EndpointOptions,
  hasLinks,
  type InterfaceStatistics,
  type Network,
  type NetworkRequest,
  type PortRequest,
  type PublishedPort,
  type ResolverOptions,
  type RunningContainer,
  type Upstreams,
} from './network.ts';
import {
  type NetworkFiles,
  type NetworkFilesRequest,
  networkFiles,
  readResolvConf,
} from './network-files.ts';
import { Networks } from './networks.ts';
import { HostPorts } from './ports/host-ports.ts';
import { PublishedPorts, publishingTerms, usualTerms } from './ports/published.ts';
import { StaleFlows } from './ports/stale-flows.ts';
import { NetworkRecords } from './records.ts';

export type { NetworkConfig } from './config.ts';
export type { NetworkFiles, NetworkFilesRequest } from './network-files.ts';

/**
 * The networks of one daemon. Everything here is synchronous: kernel calls take microseconds, and a change is
 * either done or undone when the call returns.
 *
 * Life of an endpoint: allocate (a row; an address) -> connect (links; the container's namespace exists) ->
 * publish (ports) -> unpublish, disconnect -> release. Every step back may be repeated, and `release` alone
 * takes all of them: the engine calls it once after a container's exit.
 */
export class NetworkController {
  readonly #config: NetworkConfig;
  readonly #resolvConfPath: string;
  readonly #log: Log;
  readonly #records: NetworkRecords;
  readonly #ipam = new Ipam();
  readonly #socket = new NetlinkSocket();
  readonly #firewall: Firewall;
  readonly #forwarding: Forwarding;
  readonly #hostPorts: HostPorts;
  readonly #flows: StaleFlows;
  readonly #networks: Networks;
  readonly #egress: Egress;
  readonly #endpoints: Endpoints;
  readonly #ports: PublishedPorts;
  readonly #resolvers = new Map<string, EmbeddedResolver>();
  #stopKeeping: (() => void) | undefined;
  #giveBackNames: (() => void) | undefined;

  /**
   * Brings the host to what the database says: default networks, bridges, the firewall with all published ports.
   * Nothing is interrupted for containers that run on.
   */
  static open(options: { database: Database; log: Log; config?: NetworkConfig }): NetworkController {
    const controller = new NetworkController(options.database, options.log, options.config ?? {});
    try {
      controller.#start();
      return controller;
    } catch (error) {
      controller.close();
      throw within('starting the networks', error);
    }
  }

  private constructor(database: Database, log: Log, config: NetworkConfig) {
    this.#config = config;
    this.#resolvConfPath = config.resolvConfPath ?? '/etc/resolv.conf';
    this.#log = log;
    this.#records = new NetworkRecords(database, log);
    this.#firewall = new Firewall({
      table: config.firewallTable ?? defaultFirewallTable,
      families: [
        ...(config.firewall === false ? [] : [4 as const]),
        ...(config.firewallForIPv6 === false ? [] : [6 as const]),
      ],
      dockerBridges: () => dockerBridges(this.#socket),
      log,
    });
    this.#forwarding = new Forwarding({ records: this.#records, config });
    this.#hostPorts = new HostPorts({ log, proxy: config.userlandProxy !== false });
    this.#flows = new StaleFlows({ log });
    const parts = {
      config,
      resolvConfPath: this.#resolvConfPath,
      records: this.#records,
      ipam: this.#ipam,
      socket: this.#socket,
      firewall: this.#firewall,
      forwarding: this.#forwarding,
      hostPorts: this.#hostPorts,
      flows: this.#flows,
      log,
      mark: markOf(this.#records.ownId()),
      group: groupOf(this.#records.ownId()),
    };
    this.#egress = new Egress({ records: this.#records, firewall: this.#firewall, log });
    this.#networks = new Networks(parts);
    this.#endpoints = new Endpoints(parts);
    this.#ports = new PublishedPorts(parts);
  }

  /** Errors: conflict (name or bridge taken), forbidden (pool overlaps), invalid, notImplemented, exhausted. */
  create(request: NetworkRequest): Network {
    return this.#networks.create(request);
  }

  /**
   * Changes what a network's containers may reach outside. Errors: notFound (network, or an entry to be removed),
   * invalid (entries; a network that has no such list).
   */
  changeEgress(
    nameOrId: string,
    change: { allow: readonly string[]; remove: readonly string[] } | 'unlimited',
  ): Network {
    const network = this.get(nameOrId);
    if (network.bridge === undefined || network.predefined || network.internal) {
      const what = network.internal
        ? 'an internal network'
        : network.predefined
          ? 'a predefined network'
          : `${network.driver}`;
      throw new EngineError('invalid', `network ${network.name} cannot have an egress list: it is ${what}`);
    }
    if (change !== 'unlimited') this.#networks.requireFirewall();
    return this.#egress.change(network, change);
  }

  egressOf(network: Network): EgressView {
    return this.#egress.view(network);
  }

  /** Whether a network's list lets its containers reach an address. */
  egressAllows(network: Network, address: string): boolean {
    return this.#egress.allows(network, address);
  }

  /** By name, id or unambiguous id prefix. Errors: notFound, invalid (ambiguous prefix). */
  get(nameOrId: string): Network {
    const network = this.#networks.get(nameOrId);
    if (isMissingBridge(network)) throw new EngineError('notFound', `network ${nameOrId} not found`);
    return network;
  }

  find(nameOrId: string): Network | undefined {
    return this.#networks.find(nameOrId);
  }

  list(): Network[] {
    return this.#networks.list().filter(network => !isMissingBridge(network));
  }

  /** Errors: notFound, forbidden (predefined, or with active endpoints: both are so in Docker). */
  async remove(nameOrId: string): Promise<void> {
    await this.#networks.remove(nameOrId);
  }

  /** Removes every network of the caller's choice that is not predefined and has no endpoint. */
  async prune(matches: (network: Network) => boolean = () => true): Promise<Network[]> {
    return await this.#networks.prune(matches);
  }

  /** When no network is being removed. */
  async settled(): Promise<void> {
    await this.#networks.settled();
  }

  /** Also where nothing is plugged in, as on a bridge without containers: it answers there all the same. */
  isHostAddress(address: IpAddress): boolean {
    return listAddresses(this.#socket).some(
      held => held.address.family === address.family && held.address.value === address.value,
    );
  }

  endpointsOf(network: { id: string }): Endpoint[] {
    return this.#records.endpointsOfNetwork(network.id);
  }

  endpointsOfContainer(containerId: string): Endpoint[] {
    return this.#records.endpointsOfContainer(containerId);
  }

  get firewallTable(): string {
    return this.#config.firewallTable ?? defaultFirewallTable;
  }

  /** What `host-gateway` stands for; '' when the default network has no address. */
  get hostGatewayIp(): string {
    return this.#config.hostGatewayIp ?? this.#networks.get('bridge').ipam.pools[0]?.gateway ?? '';
  }

  /** The endpoint that has the default route and the published ports. */
  gatewayEndpoint(containerId: string): Endpoint | undefined {
    return this.#endpoints.gatewayOf(containerId);
  }

  publishedPorts(containerId: string): PublishedPort[] {
    return this.#records.ports(containerId);
  }

  /** Reserves an address; nothing in the kernel changes. Errors: notFound, invalid, forbidden (in use), exhausted. */
  allocate(options: EndpointOptions): Endpoint {
    return this.#endpoints.allocate(this.#networks.getStaying(options.network), options);
  }

  /** Whether `allocate` would succeed now. @throws as it does */
  requireAllocatable(options: EndpointOptions): void {
    const trial = this.allocate({ ...options, containerId: `trial of ${options.containerId}` });
    this.#endpoints.release([trial]);
  }

  /** Keeps the addresses for their container while its endpoints come and go, until `unpinAddresses`. */
  pinAddresses(places: readonly Place[]): void {
    this.#endpoints.pin(places);
  }

  unpinAddresses(containerId: string): void {
    this.#endpoints.unpin(containerId);
  }

  /** Gives the container's namespace its interface, addresses and routes. The result replaces `endpoint`. */
  connect(endpoint: Endpoint, namespacePath: string, options: { interfaceName?: string } = {}): Endpoint {
    const before = this.#publishingEndpoint(endpoint.containerId);
    try {
      const connected = this.#endpoints.connect(endpoint, namespacePath, options.interfaceName);
      this.#movePorts(endpoint.containerId, before);
      return connected;
    } catch (error) {
      throw within(`connecting ${endpoint.containerName} to network ${endpoint.networkName}`, error);
    }
  }

  /** Takes the interface away again; the address stays reserved until `release` or `releaseEndpoint`. */
  disconnect(endpoint: Endpoint, namespacePath?: string): void {
    const before = this.#publishingEndpoint(endpoint.containerId);
    this.#endpoints.disconnect(endpoint, namespacePath);
    this.#movePorts(endpoint.containerId, before);
  }

  /** Frees the address of one endpoint. */
  releaseEndpoint(endpoint: Endpoint): void {
    this.#endpoints.release([endpoint]);
  }

  /**
   * Ports, resolver, links and addresses of a container: all gone. Never fails for what is gone already.
   * @param kept paths of namespaces of running containers that shared its own.
   */
  release(containerId: string, kept: readonly string[] = []): void {
    this.stopResolver(containerId);
    this.unpublish(containerId);
    this.#endpoints.release(this.endpointsOfContainer(containerId), kept);
  }

  /** The container was renamed: DNS answers the new name. */
  rename(containerId: string, containerName: string): void {
    this.#endpoints.rename(containerId, containerName);
  }

  /**
   * All or none; once per container and run. Errors: conflict (port taken), exhausted (no free port), invalid (no
   * such host address). A container on internal networks only, or whose way out is no bridge of ours, publishes
   * nothing, as in Docker.
   */
  publish(containerId: string, ports: readonly PortRequest[]): PublishedPort[] {
    const endpoint = this.#publishingEndpoint(containerId);
    if (endpoint === undefined || ports.length === 0) return [];
    return this.#ports.publish(endpoint, ports, publishingTerms(this.#networkOf(endpoint)));
  }

  /**
   * Takes some published ports of a running container away and publishes others; all or nothing. A container on
   * internal networks only publishes nothing. Errors: as `publish`.
   */
  changePorts(
    containerId: string,
    removed: readonly PublishedPort[],
    added: readonly PortRequest[],
  ): PublishedPort[] {
    const endpoint = this.#publishingEndpoint(containerId);
    if (endpoint === undefined) return [];
    return this.#ports.change(endpoint, removed, added, publishingTerms(this.#networkOf(endpoint)));
  }

  /** Whether the ports could be published now. Errors: as `publish`. */
  requireFreePorts(containerId: string, ports: readonly PortRequest[]): void {
    const endpoint = this.gatewayEndpoint(containerId);
    const terms = endpoint === undefined ? usualTerms : publishingTerms(this.#networkOf(endpoint));
    this.#ports.requireFree(containerId, ports, terms);
  }

  unpublish(containerId: string): void {
    this.#ports.unpublish(containerId);
  }

  /** Opens the embedded DNS at 127.0.0.11 in the namespace; only for containers on a user-defined network. */
  startResolver(containerId: string, namespacePath: string, options: ResolverOptions): void {
    if (this.#resolvers.has(containerId)) return;
    const resolver = new EmbeddedResolver({
      containerId,
      namespacePath,
      source: this.#nameSource,
      upstreams: () => this.#upstreams(options),
      egress: this.#egress,
      forwardsSingleNames: !asksForDots(options.dnsOptions, this.#config.dnsOptions),
      log: this.#log,
    });
    this.#resolvers.set(containerId, resolver);
  }

  stopResolver(containerId: string): void {
    this.#resolvers.get(containerId)?.close();
    this.#resolvers.delete(containerId);
  }

  /** Where the embedded DNS asks for names that no container has. */
  upstreamsFor(options: Pick<ResolverOptions, 'dns'>): Upstreams {
    return this.#upstreams(options);
  }

  /** Whether the container is on a network whose names the embedded DNS answers. */
  needsResolver(containerId: string): boolean {
    return this.endpointsOfContainer(containerId).some(endpoint =>
      this.#nameSource.hasNames(endpoint.networkId),
    );
  }

  /** Exact texts for the container's files; endpoints must be allocated. */
  filesFor(request: NetworkFilesRequest): NetworkFiles {
    const endpoints = this.endpointsOfContainer(request.containerId);
    return networkFiles(request, {
      endpoints,
      linked: endpoints
        .filter(endpoint => !this.#nameSource.hasNames(endpoint.networkId))
        .flatMap(this.#linkedHosts),
      embeddedDns: this.needsResolver(request.containerId),
      hostGatewayIp: this.hostGatewayIp,
      resolvConfPath: this.#resolvConfPath,
      daemon: {
        dns: this.#config.dns ?? [],
        search: this.#config.dnsSearch ?? [],
        options: this.#config.dnsOptions ?? [],
      },
    });
  }

  /** Changes what a container may send and receive, on each of its networks; at once. */
  limitBandwidth(containerId: string, bandwidth: Bandwidth | undefined): void {
    this.#endpoints.limit(containerId, bandwidth);
  }

  statistics(namespacePath: string): InterfaceStatistics[] {
    return readStatistics(namespacePath);
  }

  /**
   * Adopts what runs and removes what nobody owns; ports of running containers answer throughout.
   * @param keptOf as for `release`.
   */
  reconcile(
    running: readonly RunningContainer[],
    keptOf: (containerId: string) => string[] = () => [],
  ): void {
    const alive = new Map(running.map(container => [container.containerId, container]));
    const owners = new Set([
      ...this.#records.endpoints().map(endpoint => endpoint.containerId),
      ...this.#records.portOwners(),
    ]);
    for (const containerId of owners)
      if (!alive.has(containerId)) this.release(containerId, keptOf(containerId));
    for (const container of running) this.#adopt(container);
    this.#endpoints.removeStrayLinks();
  }

  /** Puts the firewall back when somebody flushed it. Cheap when nothing happened. @returns whether it was put back. */
  verify(): boolean {
    return this.#firewall.verify();
  }

  /** Has `verify` called whenever somebody may have changed the firewall, until `close`. */
  keepFirewall(verify: () => void): void {
    this.#stopKeeping?.();
    this.#stopKeeping = watchFirewall(verify);
  }

  /** Closes sockets; links, rules and containers stay as they are. */
  close(): void {
    this.#stopKeeping?.();
    for (const containerId of [...this.#resolvers.keys()]) this.stopResolver(containerId);
    this.#endpoints.close();
    this.#hostPorts.close();
    this.#flows.close();
    this.#firewall.close();
    this.#socket.close();
    this.#giveBackNames?.();
  }

  /**
   * Removes everything from the kernel that belongs to this daemon: bridges, rules, sysctls. Containers lose their
   * network; the database keeps the networks, and the next start makes them again.
   */
  dismantle(): void {
    for (const containerId of this.#records.portOwners()) this.unpublish(containerId);
    this.#firewall.remove();
    this.#endpoints.removeLinks();
    this.#networks.removeLinks();
    this.#forwarding.restore();
  }

  #start(): void {
    this.#giveBackNames = claimNames(this.#config);
    this.#networks.start(this.#log);
    this.#forwarding.enable(4);
    this.#firewall.closeWires(this.#forwarding.closed);
    for (const endpoint of this.#records.endpoints()) this.#ipam.adopt(endpoint);
    const gatewayOf = (containerId: string) => this.#publishingEndpoint(containerId);
    this.#firewall.replace(
      this.list().flatMap(network => firewallBridge(network) ?? []),
      this.#ports.rules(gatewayOf),
    );
    this.#ports.holdAgain(gatewayOf);
    this.#networks.removeOrphanedLinks(this.#log);
  }

  #adopt({ containerId, namespacePath, resolver }: RunningContainer): void {
    for (const endpoint of this.endpointsOfContainer(containerId)) {
      const network = this.#networkOf(endpoint);
      if (!hasLinks(network) || endpoint.interfaceName === '') continue;
      try {
        if (!isConnected(this.#socket, endpoint, namespacePath))
          this.connect(endpoint, namespacePath, endpoint);
        else if (network.bridge !== undefined) {
          reattachPort(this.#socket, endpoint.hostLinkName, network.bridge);
          this.#endpoints.limitAgain(endpoint);
        }
      } catch (error) {
        this.#log.error({ error: messageOf(error), containerId }, 'a running container lost its network');
      }
    }
    if (resolver === undefined || !this.needsResolver(containerId)) return;
    try {
      this.startResolver(containerId, namespacePath, resolver);
    } catch (error) {
      this.#log.error({ error: messageOf(error), containerId }, 'a running container has no embedded DNS');
    }
  }

  #upstreams({ dns }: Pick<ResolverOptions, 'dns'>): Upstreams {
    const chosen = dns.length > 0 ? dns : (this.#config.dns ?? []);
    if (chosen.length > 0) return { servers: chosen, inside: true };
    const { nameservers } = readResolvConf(this.#resolvConfPath);
    return { servers: nameservers.length > 0 ? nameservers : fallbackServers, inside: false };
  }

  readonly #nameSource: NameSource = {
    endpointsOfContainer: containerId => this.#records.endpointsOfContainer(containerId),
    endpointsOfNetwork: networkId => this.#records.endpointsOfNetwork(networkId),
    hasNames: networkId => this.#records.network(networkId)?.predefined === false,
    leadsOut: networkId => this.#records.network(networkId)?.internal === false,
  };

  /** `--link` on the default bridge: lines in /etc/hosts, as there is no DNS. */
  readonly #linkedHosts = (endpoint: Endpoint): HostsEntry[] =>
    Object.entries(endpoint.links).flatMap(([alias, target]) => {
      const other = this.endpointsOf({ id: endpoint.networkId }).find(
        candidate => candidate.containerId === target || candidate.containerName === target,
      );
      if (other?.ipv4 === undefined) return [];
      const names = [...new Set([alias, other.containerId.slice(0, 12), other.containerName])];
      return [{ address: other.ipv4.address, names: names.join(' ') }];
    });

  #movePorts(containerId: string, before: Endpoint | undefined): void {
    const now = this.#publishingEndpoint(containerId);
    const to = now && { endpoint: now, terms: publishingTerms(this.#networkOf(now)) };
    this.#ports.move(containerId, before, to);
  }

  /** Ports are published where the container's way out passes the host's firewall: on a bridge. */
  #publishingEndpoint(containerId: string): Endpoint | undefined {
    const endpoint = this.gatewayEndpoint(containerId);
    return endpoint?.driver === 'bridge' ? endpoint : undefined;
  }

  #networkOf(endpoint: Endpoint): Network {
    return this.#networks.get(endpoint.networkId);
  }
}
