import { deleteLink, type Link } from '../linux/netlink/links.ts';
import { removeLink } from '../linux/netlink/remove-link.ts';
import type { NetlinkSocket } from '../linux/netlink/socket.ts';
import { EngineError, messageOf, within } from '../stdx/errors.ts';
import { parseIp, parseSubnet, type Subnet, subnetOf } from '../stdx/ip.ts';
import type { Log } from '../stdx/log.ts';
import { ensureBridge, hostSubnets, madeBridge, orphanedBridges } from './bridges.ts';
import { defaultBridgeName, type NetworkConfig } from './config.ts';
import { configNetwork, withConfiguration } from './config-networks.ts';
import { missingBridge, newNetworkId, plainNetwork, planDefaultBridge } from './default-networks.ts';
import type { Firewall } from './firewall/firewall.ts';
import { firewallBridge } from './firewall/ruleset.ts';
import type { Forwarding } from './forwarding.ts';
import type { Ipam } from './ipam/ipam.ts';
import { defaultPools, type PoolSource, planPools } from './ipam/pools.ts';
import type { BridgeSettings, Network, NetworkRequest } from './network.ts';
import { readResolvConf } from './network-files.ts';
import { bridgeSettings, checkRequest } from './options.ts';
import { parentSettings, refuseTakenParent } from './parent-options.ts';
import { ensureParent, madeParent, orphanedParents } from './parents.ts';
import type { NetworkRecords } from './records.ts';

/** Networks as such: their rows, subnets, bridges and parents, from creation to removal. */
export class Networks {
  readonly #config: NetworkConfig;
  readonly #resolvConfPath: string;
  readonly #records: NetworkRecords;
  readonly #ipam: Ipam;
  readonly #socket: NetlinkSocket;
  readonly #firewall: Firewall;
  readonly #forwarding: Forwarding;
  /** Written on our bridges: whose they are, when two daemons share a host. */
  readonly #mark: string;
  /** Networks whose link the kernel is taking away. */
  readonly #going = new Map<string, Promise<void>>();

  constructor(parts: {
    config: NetworkConfig;
    resolvConfPath: string;
    records: NetworkRecords;
    ipam: Ipam;
    socket: NetlinkSocket;
    firewall: Firewall;
    forwarding: Forwarding;
    mark: string;
  }) {
    this.#config = parts.config;
    this.#resolvConfPath = parts.resolvConfPath;
    this.#records = parts.records;
    this.#ipam = parts.ipam;
    this.#socket = parts.socket;
    this.#firewall = parts.firewall;
    this.#forwarding = parts.forwarding;
    this.#mark = parts.mark;
  }

  /** Errors: conflict (name or bridge taken), forbidden (pool overlaps), invalid, notImplemented, exhausted. */
  create(request: NetworkRequest): Network {
    const whole = withConfiguration(request, this.list());
    const driver = checkRequest(whole, this.list());
    if (request.configOnly === true) {
      const network = configNetwork(request, newNetworkId(), Date.now());
      this.#records.putNetwork(network);
      return network;
    }
    const network = this.#plan(whole, driver);
    this.#records.putNetwork(network);
    this.#ipam.addNetwork(network);
    try {
      if (network.bridge?.egress !== undefined) this.requireFirewall();
      if (network.bridge === undefined) {
        ensureParent(this.#socket, network, this.#mark);
        return network;
      }
      this.#ensureBridge(network);
      this.#firewall.addBridge(firewallBridge(network)!);
      return network;
    } catch (error) {
      if (network.bridge !== undefined) this.#firewall.removeBridge(network.bridge.linkName);
      const link = this.#madeLink(network);
      if (link !== undefined) deleteLink(this.#socket, link.name);
      this.#deleteRows(network);
      throw network.bridge === undefined ? error : within(`creating network "${network.name}"`, error);
    }
  }

  /** @throws invalid where an egress list would hold nobody back */
  requireFirewall(): void {
    for (const [setting, flag] of [
      [this.#config.firewall, 'iptables'],
      [this.#config.firewallForIPv6, 'ip6tables'],
    ] as const) {
      if (setting !== false) continue;
      const message = `egress lists need the firewall, which is switched off (--${flag}=false)`;
      throw new EngineError('invalid', message);
    }
  }

  /** By name, id or unambiguous id prefix. Errors: notFound, invalid (ambiguous prefix). */
  get(nameOrId: string): Network {
    const network = this.find(nameOrId);
    if (network === undefined) throw new EngineError('notFound', `network ${nameOrId} not found`);
    return network;
  }

  find(nameOrId: string): Network | undefined {
    // The network mode `default` is the default bridge.
    const wanted = nameOrId === 'default' ? 'bridge' : nameOrId;
    const networks = this.#records.networks();
    const exact =
      networks.find(network => network.id === wanted) ?? networks.find(network => network.name === wanted);
    if (exact !== undefined || wanted === '') return exact;
    const matches = networks.filter(network => network.id.startsWith(wanted));
    if (matches.length < 2) return matches[0];
    throw new EngineError(
      'invalid',
      `network ${wanted} is ambiguous (${matches.length} matches found on ID prefix)`,
    );
  }

  list(): Network[] {
    return this.#records.networks();
  }

  /** As `get`, for who wants an endpoint there: one that is being removed is not there any more. */
  getStaying(nameOrId: string): Network {
    const network = this.get(nameOrId);
    if (this.#going.has(network.id)) throw new EngineError('notFound', `network ${nameOrId} not found`);
    return network;
  }

  /** Errors: notFound, forbidden (predefined, or with active endpoints: both are so in Docker). */
  async remove(nameOrId: string): Promise<void> {
    const going = this.#going.get(this.get(nameOrId).id);
    if (going !== undefined) await going;
    const network = this.get(nameOrId);
    if (network.predefined) {
      throw new EngineError('forbidden', `${network.name} is a pre-defined network and cannot be removed`);
    }
    if (this.#records.endpointsOfNetwork(network.id).length > 0) {
      throw new EngineError(
        'forbidden',
        `error while removing network: network ${network.name} id ${network.id} has active endpoints`,
      );
    }
    if (this.list().some(({ configFrom }) => configFrom === network.name)) {
      throw new EngineError(
        'forbidden',
        `error while removing network: configuration network ${JSON.stringify(network.name)} is in use`,
      );
    }
    await this.#forget(network);
  }

  /** Removes every network of the caller's choice that is not predefined and has no endpoint. */
  async prune(matches: (network: Network) => boolean = () => true): Promise<Network[]> {
    const unused = this.list().filter(
      network =>
        !network.predefined &&
        network.configuration === undefined &&
        !this.#going.has(network.id) &&
        this.#records.endpointsOfNetwork(network.id).length === 0 &&
        matches(network),
    );
    await Promise.all(unused.map(network => this.#forget(network)));
    return unused;
  }

  /** When nothing is being removed: neither a link nor its name and addresses are half gone. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#going.values());
  }

  /** Default networks, bridges and subnets as the database says; the firewall comes after. */
  start(log: Log): void {
    this.#ensureDefaultNetworks();
    for (const network of this.list()) {
      this.#ipam.addNetwork(network);
      if (network.bridge !== undefined) this.#ensureBridge(network);
      if (network.parent !== undefined) this.#tryParent(network, log);
    }
  }

  /** Bridges and parents whose network is gone: a removal was cut off. */
  removeOrphanedLinks(log: Log): void {
    for (const linkName of orphanedBridges(this.#socket, this.#mark, this.#linkNames())) {
      log.info({ linkName }, 'removing a bridge without a network');
      deleteLink(this.#socket, linkName);
    }
    for (const linkName of orphanedParents(this.#socket, this.#mark, this.#parentNames())) {
      log.info({ linkName }, 'removing the parent link of no network');
      deleteLink(this.#socket, linkName);
    }
  }

  /** Takes all bridges and parents away that were made, while their networks stay in the database. */
  removeLinks(): void {
    for (const network of this.list()) {
      const link = this.#madeLink(network);
      if (link !== undefined) deleteLink(this.#socket, link.name);
    }
  }

  /** A network card that was pulled out is no reason not to start: who wants that network hears of it. */
  #tryParent(network: Network, log: Log): void {
    try {
      ensureParent(this.#socket, network, this.#mark);
    } catch (error) {
      log.warn({ error: messageOf(error), network: network.name }, 'a network has no parent link');
    }
  }

  #ensureBridge(network: Network): void {
    ensureBridge(this.#socket, network, this.#mark, { guarded: this.#config.firewall !== false });
    if (!network.enableIPv6) return;
    this.#forwarding.enable(6);
    this.#firewall.closeWires(this.#forwarding.closed);
  }

  #ensureDefaultNetworks(): void {
    const nowMs = Date.now();
    for (const name of ['host', 'none'] as const) {
      if (!this.list().some(network => network.name === name))
        this.#records.putNetwork(plainNetwork(name, nowMs));
    }
    const before = this.list().find(network => network.name === 'bridge');
    const inUse = before !== undefined && this.#records.endpointsOfNetwork(before.id).length > 0;
    const asked = this.#config.bridgeName;
    if (asked === 'none' && !(inUse && before.bridge !== undefined)) {
      this.#records.putNetwork(missingBridge(before, nowMs));
      return;
    }
    const bridgeName = asked === undefined || asked === 'none' ? defaultBridgeName : asked;
    const others = this.list().filter(network => network.id !== before?.id);
    const bridge = planDefaultBridge(
      {
        addresses: this.#config,
        bridgeName,
        interContainer: this.#config.interContainer ?? true,
        masquerade: this.#config.masquerade ?? true,
        mtu: this.#config.mtu,
        hostBindingIpv4: this.#config.hostBindingIpv4 ?? '0.0.0.0',
        pools: this.#poolSources,
      },
      before,
      inUse,
      {
        networks: subnetsOf(others),
        host: this.#hostSubnets(bridgeName),
        nowMs,
      },
    );
    this.#records.putNetwork(bridge);
  }

  #plan(request: NetworkRequest, driver: 'bridge' | 'macvlan' | 'ipvlan'): Network {
    const id = newNetworkId();
    const options = { ...this.#config.driverOptions?.[driver], ...request.options };
    const links =
      driver === 'bridge'
        ? this.#planBridge({ ...request, options }, id)
        : this.#planParent(driver, options, id);
    const asked = request.ipam?.pools ?? [];
    return {
      id,
      name: request.name,
      createdAtMs: Date.now(),
      driver,
      internal: request.internal ?? false,
      attachable: request.attachable ?? false,
      enableIPv6: request.enableIPv6 ?? false,
      ...(request.enableIPv4 === false ? { ipv6Only: true } : {}),
      ipam: {
        driver: 'default',
        options: request.ipam?.options ?? {},
        pools: planPools(asked, {
          enableIPv6: request.enableIPv6 ?? false,
          ipv6Only: request.enableIPv4 === false,
          networkId: id,
          withoutGateway: isolatedFamilies(links.bridge),
          sources: this.#poolSources,
          networks: subnetsOf(this.list()),
          host: this.#hostSubnets(links.bridge?.linkName),
        }),
      },
      subnetsGiven: asked.some(pool => (pool.subnet ?? '') !== ''),
      options,
      labels: request.labels ?? {},
      predefined: false,
      ...(request.configFrom ? { configFrom: request.configFrom } : {}),
      ...links,
    };
  }

  #planBridge(request: NetworkRequest, id: string): Pick<Network, 'bridge' | 'parent'> {
    const bridge = bridgeSettings(request.options ?? {}, {
      linkName: `br-${id.slice(0, 12)}`,
      isDefault: false,
      hostBindingIpv4: this.#config.hostBindingIpv4 ?? '0.0.0.0',
    });
    this.#refuseTakenBridge(request.name, bridge.linkName);
    if (isolatedFamilies(bridge).length > 0 && request.internal !== true) {
      throw new EngineError('invalid', "gateway mode 'isolated' can only be used for an internal network");
    }
    return { bridge };
  }

  #planParent(
    driver: 'macvlan' | 'ipvlan',
    options: Readonly<Record<string, string>>,
    id: string,
  ): Pick<Network, 'bridge' | 'parent'> {
    const parent = parentSettings(driver, options, id);
    refuseTakenParent(parent, this.list());
    return { parent };
  }

  #refuseTakenBridge(name: string, linkName: string): void {
    const other = this.list().find(network => network.bridge?.linkName === linkName);
    if (other === undefined) return;
    throw new EngineError(
      'conflict',
      `cannot create network ${name} (${linkName}): conflicts with network ${other.name} (${linkName}): networks have same bridge name`,
    );
  }

  #forget(network: Network): Promise<void> {
    const going = this.#takeAway(network).finally(() => this.#going.delete(network.id));
    this.#going.set(network.id, going);
    return going;
  }

  /** Rules first: a bridge without rules would be open for a moment. */
  async #takeAway(network: Network): Promise<void> {
    if (network.bridge !== undefined) this.#firewall.removeBridge(network.bridge.linkName);
    const link = this.#isShared(network) ? undefined : this.#madeLink(network);
    if (link !== undefined) await removeLink(link);
    this.#deleteRows(network);
  }

  /** What was made for the network: its bridge or parent, unless it was there before. */
  #madeLink({ bridge, parent }: Network): Link | undefined {
    if (bridge !== undefined) return madeBridge(this.#socket, bridge.linkName, this.#mark);
    return parent && madeParent(this.#socket, parent.linkName, this.#mark);
  }

  #deleteRows({ id }: Network): void {
    this.#ipam.removeNetwork(id);
    this.#records.deleteNetwork(id);
  }

  #isShared({ id, parent }: Network): boolean {
    if (parent === undefined) return false;
    return this.list().some(other => other.id !== id && other.parent?.linkName === parent.linkName);
  }

  #hostSubnets(linkName = ''): Subnet[] {
    const servers = readResolvConf(this.#resolvConfPath).nameservers.flatMap(server => {
      const address = parseIp(server);
      return address === undefined ? [] : [subnetOf(address, address.family === 4 ? 32 : 128)];
    });
    return [...hostSubnets(this.#socket, new Set([...this.#linkNames(), linkName])), ...servers];
  }

  #linkNames(): Set<string> {
    return new Set(this.list().flatMap(network => network.bridge?.linkName ?? []));
  }

  #parentNames(): Set<string> {
    return new Set(this.list().flatMap(network => network.parent?.linkName ?? []));
  }

  get #poolSources(): readonly PoolSource[] {
    return this.#config.pools ?? defaultPools;
  }
}

/** The host has no address there. */
function isolatedFamilies(bridge: BridgeSettings | undefined): (4 | 6)[] {
  const modes = { 4: bridge?.gatewayModeIpv4, 6: bridge?.gatewayModeIpv6 };
  return ([4, 6] as const).filter(family => modes[family] === 'isolated');
}

function subnetsOf(networks: readonly Network[]): Subnet[] {
  return networks.flatMap(network =>
    network.configuration !== undefined ? [] : network.ipam.pools.map(pool => parseSubnet(pool.subnet)!),
  );
}
