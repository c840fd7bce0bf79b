import { EngineError, messageOf, within } from '../../stdx/errors.ts';
import type { Log } from '../../stdx/log.ts';
import type { Firewall } from '../firewall/firewall.ts';
import type { HostSide, PortRule } from '../firewall/ruleset.ts';
import type { Endpoint, Network, PortRequest, PublishedPort } from '../network.ts';
import type { NetworkRecords } from '../records.ts';
import { hasIPv6 } from '../sysctl.ts';
import type { HostPorts } from './host-ports.ts';
import {
  directPorts,
  hostSide,
  type PortMove,
  type PortPlan,
  type PortTarget,
  planMove,
  planPort,
  ruleFor,
} from './plan.ts';
import type { StaleFlows } from './stale-flows.ts';

/**
 * Published ports: held on the host, written down, and led to the container by the firewall, in this order; what was
 * done is undone when a later step fails.
 */
export class PublishedPorts {
  readonly #records: NetworkRecords;
  readonly #firewall: Firewall;
  readonly #hostPorts: HostPorts;
  readonly #flows: StaleFlows;
  readonly #log: Log;

  constructor(parts: {
    records: NetworkRecords;
    firewall: Firewall;
    hostPorts: HostPorts;
    flows: StaleFlows;
    log: Log;
  }) {
    this.#records = parts.records;
    this.#firewall = parts.firewall;
    this.#hostPorts = parts.hostPorts;
    this.#flows = parts.flows;
    this.#log = parts.log;
  }

  publish(endpoint: Endpoint, requests: readonly PortRequest[], terms: PublishingTerms): PublishedPort[] {
    const { containerId } = endpoint;
    if (this.#records.ports(containerId).length > 0) {
      throw new EngineError('conflict', `container ${endpoint.containerName} has published ports already`);
    }
    try {
      const plans = planPorts(requests, terms);
      const target = targetOf(endpoint);
      const ports = plans.flatMap(plan => this.#hold(containerId, plan, terms, target));
      this.#records.putPorts(containerId, ports);
      this.#lead(rulesOf(ports, target));
      return ports;
    } catch (error) {
      this.#hostPorts.release(containerId);
      this.#records.deletePorts(containerId);
      const doing = `driver failed programming external connectivity on endpoint ${endpoint.containerName} (${endpoint.id})`;
      throw within(doing, error);
    }
  }

  unpublish(containerId: string): void {
    const ports = this.#records.ports(containerId);
    if (ports.length === 0) return;
    this.#leadNoMore(ports.map(hostSide));
    this.#hostPorts.release(containerId);
    this.#records.deletePorts(containerId);
  }

  /**
   * Takes some ports of a running container away and publishes others; those that stay answer throughout. All or
   * nothing: when a new one cannot be had, the old ones are back.
   */
  change(
    endpoint: Endpoint,
    removed: readonly PublishedPort[],
    requests: readonly PortRequest[],
    terms: PublishingTerms,
  ): PublishedPort[] {
    const { containerId } = endpoint;
    const target = targetOf(endpoint);
    const before = this.#records.ports(containerId);
    const kept = before.filter(port => !removed.includes(port));
    const added: PublishedPort[] = [];
    try {
      // Before the new ones are taken: one of them may be where an old one was.
      this.#leadNoMore(removed.map(hostSide));
      this.#hostPorts.releaseSome(containerId, removed);
      for (const plan of planPorts(requests, terms))
        added.push(...this.#hold(containerId, plan, terms, target));
      this.#put(containerId, [...kept, ...added]);
      this.#lead(rulesOf(added, target));
      return added;
    } catch (error) {
      this.#hostPorts.releaseSome(containerId, added);
      this.#put(containerId, before);
      this.#hostPorts.holdAgain(containerId, removed.filter(isOnHost), target);
      this.#lead(rulesOf(removed, target));
      throw error;
    }
  }

  /**
   * Whether these ports could be published for the container now: takes them and gives them back.
   * @throws conflict, invalid, exhausted as `publish`
   */
  requireFree(containerId: string, requests: readonly PortRequest[], terms: PublishingTerms): void {
    const trial = `trial of ${containerId}`;
    try {
      for (const plan of planPorts(requests, terms))
        this.#hold(trial, plan, terms, { ipv4: '127.0.0.1', ipv6: '::1' });
    } finally {
      this.#hostPorts.release(trial);
    }
  }

  /** On the host, and where a family is routed at the container's own address. */
  #hold(owner: string, plan: PortPlan, { routed }: PublishingTerms, target: PortTarget): PublishedPort[] {
    const hostAddresses = plan.hostAddresses.filter(({ family }) => !routed.includes(family));
    const held =
      hostAddresses.length === 0 ? [] : this.#hostPorts.hold(owner, { ...plan, hostAddresses }, target);
    // IPv4 first, as everywhere else.
    return [...held, ...directPorts(plan, routed, target)].sort(
      (one, other) => Number(one.hostIp.includes(':')) - Number(other.hostIp.includes(':')),
    );
  }

  #lead(rules: readonly PortRule[]): void {
    this.#firewall.addPorts(rules);
    this.#flows.forget(rules);
  }

  #leadNoMore(ports: readonly HostSide[]): void {
    this.#firewall.removePorts(ports);
    this.#flows.forget(ports);
  }

  #put(containerId: string, ports: PublishedPort[]): void {
    if (ports.length === 0) this.#records.deletePorts(containerId);
    else this.#records.putPorts(containerId, ports);
  }

  /**
   * The container's way out has changed, and with it where its ports lead. The host's ports stay the same; where the
   * new network is of another gateway mode, ports move between the host and the container's own address.
   */
  move(
    containerId: string,
    from: Endpoint | undefined,
    to: { endpoint: Endpoint; terms: PublishingTerms } | undefined,
  ): void {
    const ports = this.#records.ports(containerId);
    if (ports.length === 0 || from?.id === to?.endpoint.id) return;
    this.#leadNoMore(ports.map(hostSide));
    this.#hostPorts.release(containerId);
    if (to === undefined) return;
    const target = targetOf(to.endpoint);
    const { kept, anew } = planMove(ports, to.terms.routed, target);
    this.#hostPorts.holdAgain(containerId, kept.filter(isOnHost), target);
    const moved = [...kept, ...anew.flatMap(one => this.#holdLate(containerId, one, to.terms, target))];
    this.#put(containerId, moved);
    this.#lead(rulesOf(moved, target));
  }

  /** The container runs and has moved already: a port that somebody else has by now is logged. */
  #holdLate(
    containerId: string,
    { request, families }: PortMove['anew'][number],
    terms: PublishingTerms,
    target: PortTarget,
  ): PublishedPort[] {
    try {
      return planPorts([request], terms).flatMap(plan => {
        const hostAddresses = plan.hostAddresses.filter(({ family }) => families.includes(family));
        return this.#hold(containerId, { ...plan, hostAddresses }, terms, target);
      });
    } catch (error) {
      this.#log.warn(
        { error: messageOf(error), containerId, request },
        'a port cannot be published any more',
      );
      return [];
    }
  }

  /** After a restart of the daemon: the rules are in the kernel, the sockets are not. */
  holdAgain(gatewayOf: (containerId: string) => Endpoint | undefined): void {
    // The end of the last daemon may have come between a rule and its flows.
    this.#flows.forget(this.rules(gatewayOf));
    for (const containerId of this.#records.portOwners()) {
      const endpoint = gatewayOf(containerId);
      if (endpoint === undefined) continue;
      const ports = this.#records.ports(containerId).filter(isOnHost);
      this.#hostPorts.holdAgain(containerId, ports, targetOf(endpoint));
    }
  }

  /** The rules of all ports there are. */
  rules(gatewayOf: (containerId: string) => Endpoint | undefined): PortRule[] {
    return this.#records.portOwners().flatMap(containerId => {
      const endpoint = gatewayOf(containerId);
      return endpoint === undefined ? [] : rulesOf(this.#records.ports(containerId), targetOf(endpoint));
    });
  }
}

/** What a network says about ports that are published on it. */
export interface PublishingTerms {
  /** Where a port appears when its request names no address. */
  defaultHostIp: string;
  /** Families in which containers are reached by their own addresses. */
  routed: readonly (4 | 6)[];
}

export const usualTerms: PublishingTerms = { defaultHostIp: '0.0.0.0', routed: [] };

export function publishingTerms({ bridge }: Network): PublishingTerms {
  if (bridge === undefined) return usualTerms;
  const modes = { 4: bridge.gatewayModeIpv4, 6: bridge.gatewayModeIpv6 };
  const routed = ([4, 6] as const).filter(family => modes[family] === 'routed');
  return { defaultHostIp: bridge.hostBindingIpv4, routed };
}

function planPorts(requests: readonly PortRequest[], { defaultHostIp }: PublishingTerms): PortPlan[] {
  const options = { defaultHostIp, hasIPv6: hasIPv6() };
  return requests.map(request => planPort(request, options));
}

function isOnHost({ openAt }: PublishedPort): boolean {
  return openAt === undefined;
}

function targetOf(endpoint: Endpoint): PortTarget {
  return { ipv4: endpoint.ipv4?.address, ipv6: endpoint.ipv6?.address };
}

function rulesOf(ports: readonly PublishedPort[], target: PortTarget): PortRule[] {
  return ports.flatMap(port => ruleFor(port, target) ?? []);
}
