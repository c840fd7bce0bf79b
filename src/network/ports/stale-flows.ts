import { listAddresses } from '../../linux/netlink/addresses.ts';
import { deleteFlow, type Flow, listFlows } from '../../linux/netlink/flows.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../../linux/netlink/socket.ts';
import { messageOf } from '../../stdx/errors.ts';
import { formatIp, isLoopback } from '../../stdx/ip.ts';
import type { Log } from '../../stdx/log.ts';
import type { HostSide, PortRule } from '../firewall/ruleset.ts';

/**
 * The kernel decides once per flow where it goes, and a UDP client that keeps on sending has one flow for ever: sent
 * to a container that is gone, or, begun before the port was published, to the host itself. Such flows at a port that
 * changed hands are forgotten, so that the next packet goes by today's rules. TCP and SCTP need nothing of this: their
 * connections end.
 *
 * The kernel walks its whole table for each question (10 ms and more), so what comes together is asked together, a
 * moment later. Nobody is refused a port because this fails: that is logged.
 */
export class StaleFlows {
  readonly #log: Log;
  readonly #addresses = new NetlinkSocket();
  readonly #flows = new NetlinkSocket(NETLINK_NETFILTER);
  /** By place: where it leads now, as far as it leads anywhere. */
  readonly #pending = new Map<string, Place>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { log: Log }) {
    this.#log = options.log;
  }

  /** These ports lead somewhere else now, or nowhere. */
  forget(ports: readonly Place[]): void {
    for (const port of ports) {
      if (port.protocol === 'udp') this.#pending.set(`${port.family} ${placeOf(port)}`, port);
    }
    if (this.#pending.size === 0) return;
    this.#timer ??= setTimeout(() => this.#forgetNow(), togetherMs).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#addresses.close();
    this.#flows.close();
  }

  #forgetNow(): void {
    const ports = [...this.#pending.values()];
    this.#pending.clear();
    this.#timer = undefined;
    try {
      for (const family of [4, 6] as const)
        this.#forgetAmong(
          family,
          ports.filter(port => port.family === family),
        );
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'old flows to published ports cannot be forgotten');
    }
  }

  #forgetAmong(family: 4 | 6, ports: readonly Place[]): void {
    // One port is found by the kernel; for more its table is walked once.
    const [only, ...more] = new Set(ports.map(port => port.hostPort));
    if (only === undefined) return;
    const port = more.length === 0 ? only : undefined;
    const flows = listFlows(this.#flows, { family, protocol: IPPROTO_UDP, port });
    const isStale = staleTest(ports, flows.length === 0 ? new Set() : this.#hostAddresses());
    for (const flow of flows) if (isStale(flow)) deleteFlow(this.#flows, flow);
  }

  #hostAddresses(): Set<string> {
    return new Set(listAddresses(this.#addresses).map(({ address }) => formatIp(address)));
  }
}

const togetherMs = 10;

const IPPROTO_UDP = 17;

/** A port on the host that leads somewhere, or, as it does no more, nowhere. */
export type Place = HostSide & Partial<Pick<PortRule, 'address' | 'containerPort'>>;

/**
 * Which flows of one family were sent to one of the ports, on its host address or on any of the host's, and do not go
 * where it leads now. What containers send to the same port of some other machine stays.
 */
export function staleTest(
  ports: readonly Place[],
  hostAddresses: ReadonlySet<string>,
): (flow: Omit<Flow, 'key'>) => boolean {
  const places = new Map(ports.map(port => [placeOf(port), port]));
  return ({ sentTo, sentToPort, answeredBy, answeredByPort }) => {
    const address = formatIp(sentTo);
    const isHost = hostAddresses.has(address) || isLoopback(sentTo);
    const place =
      places.get(`${address} ${sentToPort}`) ?? (isHost ? places.get(`* ${sentToPort}`) : undefined);
    if (place === undefined) return false;
    return place.address !== formatIp(answeredBy) || place.containerPort !== answeredByPort;
  };
}

function placeOf({ hostIp, hostPort }: HostSide): string {
  return `${hostIp ?? '*'} ${hostPort}`;
}
