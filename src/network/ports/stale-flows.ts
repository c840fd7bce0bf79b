import { listAddresses } from '../../linux/netlink/addresses.ts';
import { deleteFlow, type Flow, listFlows } from '../../linux/netlink/flows.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../../linux/netlink/socket.ts';
import { messageOf } from '../../stdx/errors.ts';
import { formatIp, isLoopback } from '../../stdx/ip.ts';
import type { Log } from '../../stdx/log.ts';
import type { HostSide } from '../firewall/ruleset.ts';

/**
 * The kernel decides once per flow where it goes, and a UDP client that keeps on sending has one flow for ever: sent
 * to a container that is gone, or, begun before the port was published, to the host itself. TCP needs nothing of
 * this, as its connections end; UDP's and SCTP's flows at a port that changed hands are forgotten, so that the next
 * packet goes by today's rules.
 *
 * Nobody is refused a port because this fails: that is logged.
 */
export class StaleFlows {
  readonly #log: Log;
  readonly #addresses = new NetlinkSocket();
  readonly #flows = new NetlinkSocket(NETLINK_NETFILTER);

  constructor(options: { log: Log }) {
    this.#log = options.log;
  }

  /** These ports lead somewhere else now, or nowhere. */
  forget(ports: readonly HostSide[]): void {
    try {
      for (const { family, protocol, ports: some } of grouped(ports)) {
        // One port is found by the kernel; for more its table is walked once.
        const [only, ...more] = new Set(some.map(port => port.hostPort));
        const port = more.length === 0 ? only : undefined;
        const flows = listFlows(this.#flows, { family, protocol: protocolNumbers[protocol], port });
        const isOurs = staleTest(some, flows.length === 0 ? new Set() : this.#hostAddresses());
        for (const flow of flows) if (isOurs(flow)) deleteFlow(this.#flows, flow);
      }
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'old flows to published ports cannot be forgotten');
    }
  }

  close(): void {
    this.#addresses.close();
    this.#flows.close();
  }

  #hostAddresses(): Set<string> {
    return new Set(listAddresses(this.#addresses).map(({ address }) => formatIp(address)));
  }
}

type FlowProtocol = 'udp' | 'sctp';
const protocolNumbers: Readonly<Record<FlowProtocol, number>> = { udp: 17, sctp: 132 };

interface Group {
  family: 4 | 6;
  protocol: FlowProtocol;
  ports: HostSide[];
}

function grouped(ports: readonly HostSide[]): Group[] {
  const groups = new Map<string, Group>();
  for (const port of ports) {
    const { family, protocol } = port;
    if (protocol === 'tcp') continue;
    const key = `${protocol} ${family}`;
    const group = groups.get(key) ?? { family, protocol, ports: [] };
    group.ports.push(port);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/**
 * Which flows of one family and protocol were sent to one of the ports: on its host address, or on any of the host's.
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
