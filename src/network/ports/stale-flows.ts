import { listAddresses } from '../../linux/netlink/addresses.ts';
import { deleteFlow, type Flow, listFlows } from '../../linux/netlink/flows.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../../linux/netlink/socket.ts';
import { messageOf } from '../../stdx/errors.ts';
import { formatIp, isLoopback } from '../../stdx/ip.ts';
import type { Log } from '../../stdx/log.ts';
import type { HostSide } from '../firewall/ruleset.ts';

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
  #pending: HostSide[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { log: Log }) {
    this.#log = options.log;
  }

  /** These ports lead somewhere else now, or nowhere. */
  forget(ports: readonly HostSide[]): void {
    const some = ports.filter(port => port.protocol === 'udp');
    if (some.length === 0) return;
    this.#pending.push(...some);
    this.#timer ??= setTimeout(() => this.#forgetNow(), togetherMs).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#addresses.close();
    this.#flows.close();
  }

  #forgetNow(): void {
    const ports = this.#pending;
    this.#pending = [];
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

  #forgetAmong(family: 4 | 6, ports: readonly HostSide[]): void {
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

/**
 * Which flows of one family were sent to one of the ports: on its host address, or on any of the host's.
 * What containers send to the same port of some other machine stays.
 */
export function staleTest(
  ports: readonly HostSide[],
  hostAddresses: ReadonlySet<string>,
): (flow: Pick<Flow, 'sentTo' | 'sentToPort'>) => boolean {
  const places = new Set(ports.map(({ hostIp, hostPort }) => `${hostIp ?? '*'} ${hostPort}`));
  return ({ sentTo, sentToPort }) => {
    const address = formatIp(sentTo);
    if (places.has(`${address} ${sentToPort}`)) return true;
    return places.has(`* ${sentToPort}`) && (hostAddresses.has(address) || isLoopback(sentTo));
  };
}
