import { decode } from 'dns-packet';
import { messageOf } from '../stdx/errors.ts';
import { contains, parseIp, parseSubnet } from '../stdx/ip.ts';
import type { Log } from '../stdx/log.ts';
import { allowsName, changeEgress, type EgressList, egressOption, formatEgress } from './egress-list.ts';
import type { RefusedFlow } from './firewall/egress.ts';
import type { Firewall } from './firewall/firewall.ts';
import { firewallBridge } from './firewall/ruleset.ts';
import type { Network } from './network.ts';
import type { NetworkRecords } from './records.ts';

/** What a container may ask other name servers for: everything, this name as it is on a list, or not this one. */
export type NameVerdict = 'unlimited' | 'listed' | 'refused';

export interface RefusedName {
  containerId: string;
  name: string;
  count: number;
  lastMs: number;
}

/** What is known of a network's list and of what it refused. */
export interface EgressView {
  /** undefined: its containers reach everything. */
  list?: EgressList;
  /** Addresses that names on the list stand for at present. */
  named: { name: string; address: string; expiresAtMs: number }[];
  flows: RefusedFlow[];
  names: RefusedName[];
}

/** Holds containers to the lists of their networks: names here, addresses by the firewall. */
export class Egress {
  readonly #records: NetworkRecords;
  readonly #firewall: Firewall;
  readonly #log: Log;
  /** By network, container and name; the longest unasked first. */
  readonly #refusedNames = new Map<string, RefusedName & { networkIds: string[] }>();

  constructor(parts: { records: NetworkRecords; firewall: Firewall; log: Log }) {
    this.#records = parts.records;
    this.#firewall = parts.firewall;
    this.#log = parts.log;
  }

  /** Decides about a question for other name servers; a refusal is noted. */
  judge(containerId: string, name: string): NameVerdict {
    const outlets = this.#outlets(containerId);
    const limited = outlets.filter(({ bridge }) => bridge?.egress !== undefined);
    if (limited.length === 0) return 'unlimited';
    if (limited.some(({ bridge }) => allowsName(bridge!.egress!, name))) return 'listed';
    // It gets out by another network, which has no list.
    if (limited.length < outlets.length) return 'unlimited';
    this.#noteRefused(containerId, name, limited);
    return 'refused';
  }

  /** Lets a container reach what the answer to a name on its list says, before it hears of it. */
  learn(containerId: string, name: string, answer: Buffer): void {
    let told: { address: string; ttl: number }[];
    try {
      told = addressesIn(answer);
    } catch (error) {
      // An answer that cannot be read opens nothing; the container may make of it what it can.
      this.#log.debug({ error: messageOf(error), name }, 'an answer about a name on a list cannot be read');
      return;
    }
    if (told.length === 0) return;
    for (const { bridge } of this.#outlets(containerId)) {
      if (bridge?.egress === undefined || !allowsName(bridge.egress, name)) continue;
      const timeoutS = Math.min(Math.max(...told.map(({ ttl }) => ttl), shortestS), longestS);
      this.#firewall.allowNamed(
        bridge.linkName,
        name.toLowerCase().replace(/\.$/, ''),
        told.map(({ address }) => address),
        timeoutS,
      );
    }
  }

  /**
   * Changes a network's list; what its containers may no longer reach is closed at once for new connections.
   * @param change `unlimited`: there is no list any more.
   */
  change(
    network: Network,
    change: { allow: readonly string[]; remove: readonly string[] } | 'unlimited',
  ): Network {
    const list = change === 'unlimited' ? undefined : changeEgress(network.bridge!.egress, change);
    const { [egressOption]: _, ...options } = network.options;
    const changed: Network = {
      ...network,
      options: list === undefined ? options : { ...options, [egressOption]: formatEgress(list) },
      bridge: { ...network.bridge!, egress: list },
    };
    this.#firewall.changeBridge(
      firewallBridge(changed)!,
      name => list === undefined || allowsName(list, name),
    );
    try {
      this.#records.putNetwork(changed);
    } catch (error) {
      this.#firewall.changeBridge(firewallBridge(network)!, () => true);
      throw error;
    }
    return changed;
  }

  view({ id, bridge }: Network): EgressView {
    if (bridge === undefined) return { named: [], flows: [], names: [] };
    return {
      list: bridge.egress,
      named: this.#firewall.namedOf(bridge.linkName),
      flows: this.#firewall.refused().filter(({ linkName }) => linkName === bridge.linkName),
      names: [...this.#refusedNames.values()].filter(({ networkIds }) => networkIds.includes(id)),
    };
  }

  /** Whether an address outside may be reached by the way out of this network. */
  allows({ bridge }: Network, address: string): boolean {
    if (bridge?.egress === undefined) return true;
    const ip = parseIp(address)!;
    return (
      bridge.egress.subnets.some(subnet => contains(parseSubnet(subnet)!, ip)) ||
      this.#firewall.namedOf(bridge.linkName).some(named => named.address === address)
    );
  }

  #outlets(containerId: string): Network[] {
    return this.#records.endpointsOfContainer(containerId).flatMap(endpoint => {
      const network = this.#records.network(endpoint.networkId);
      return network === undefined || network.internal || endpoint.interfaceName === '' ? [] : [network];
    });
  }

  #noteRefused(containerId: string, name: string, networks: readonly Network[]): void {
    const key = `${containerId} ${name}`;
    const before = this.#refusedNames.get(key);
    if (before === undefined) this.#log.debug({ containerId, name }, 'a name is not on the egress list');
    this.#refusedNames.delete(key);
    this.#refusedNames.set(key, {
      containerId,
      name,
      count: (before?.count ?? 0) + 1,
      lastMs: Date.now(),
      networkIds: networks.map(({ id }) => id),
    });
    const [oldest] = this.#refusedNames.keys();
    if (this.#refusedNames.size > mostRefusedNames) this.#refusedNames.delete(oldest!);
  }
}

const mostRefusedNames = 1000;
/** Programs keep addresses longer than they should. */
const shortestS = 600;
const longestS = 86_400;

/** Addresses that a name outside has no business to stand for: the container's own, link-local ones, groups. */
const neverOpened = [
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '0.0.0.0/8',
  '::/127',
  'fe80::/10',
  'ff00::/8',
].map(text => parseSubnet(text)!);

function addressesIn(answer: Buffer): { address: string; ttl: number }[] {
  return (decode(answer).answers ?? []).flatMap(({ type, data, ttl = 0 }) => {
    if ((type !== 'A' && type !== 'AAAA') || data === undefined) return [];
    const ip = parseIp(data);
    if (ip === undefined || neverOpened.some(subnet => contains(subnet, ip))) return [];
    return [{ address: data, ttl }];
  });
}
