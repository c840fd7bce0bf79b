import net from 'node:net';
import { openUnboundSocket } from '../linux/inet-socket.ts';
import { withNetworkNamespace } from '../linux/namespaces.ts';
import { findLink, listLinks } from '../linux/netlink/links.ts';
import { lookUpRoute } from '../linux/netlink/routes.ts';
import { NetlinkSocket } from '../linux/netlink/socket.ts';
import { Nftables } from '../linux/nftables/nftables.ts';
import { errnoOf, messageOf } from '../stdx/errors.ts';
import { formatIp, parseIp } from '../stdx/ip.ts';
import type { BridgeSettings, Endpoint } from './network.ts';

/** The way a packet takes first. */
export interface RouteSeen {
  linkName: string;
  linkUp: boolean;
  gateway?: string;
  source?: string;
}

/** Where the kernel would send a packet for an address, from a network namespace; undefined: nowhere. */
export function routeFrom(namespacePath: string, address: string): RouteSeen | undefined {
  return withNetworkNamespace(namespacePath, () => {
    using socket = new NetlinkSocket();
    const route = lookUpRoute(socket, parseIp(address)!);
    if (route === undefined) return undefined;
    const link = listLinks(socket).find(({ index }) => index === route.linkIndex);
    return {
      linkName: link?.name ?? `link ${route.linkIndex}`,
      linkUp: link?.up ?? false,
      gateway: route.gateway && formatIp(route.gateway),
      source: route.source && formatIp(route.source),
    };
  });
}

/** The host's side of an endpoint's link. */
export interface PortSeen {
  hostLinkName: string;
  bridgeName: string;
  /** What is not as it must be, as a sentence; undefined when all is. */
  fault?: string;
}

export function bridgePortOf({ hostLinkName }: Endpoint, { linkName: bridgeName }: BridgeSettings): PortSeen {
  using socket = new NetlinkSocket();
  const [port, bridge] = [findLink(socket, hostLinkName), findLink(socket, bridgeName)];
  const fault = () => {
    if (bridge === undefined) return `the bridge ${bridgeName} is gone`;
    if (port === undefined) return `the link ${hostLinkName} is gone`;
    if (port.masterIndex !== bridge.index) return `${hostLinkName} is no port of the bridge ${bridgeName}`;
    if (!bridge.up) return `the bridge ${bridgeName} is down`;
    return port.up ? undefined : `the link ${hostLinkName} is down`;
  };
  return { hostLinkName, bridgeName, fault: fault() };
}

/** Chains of others that let nothing pass unless a rule of theirs says so: `ip filter FORWARD`. */
export function droppingChains(ownTable: string): string[] {
  const nft = new Nftables();
  try {
    return nft.list('list chains').flatMap(({ chain }) => {
      if (chain?.['policy'] !== 'drop' || chain['table'] === ownTable) return [];
      return [`${chain['family']} ${chain['table']} ${chain['name']}`];
    });
  } finally {
    nft.close();
  }
}

/** What a TCP connection from inside of a network namespace comes to: `is accepted`, `is refused` ... */
export function tryToConnect(namespacePath: string, address: string, port: number): Promise<string> {
  let fd: number;
  try {
    fd = withNetworkNamespace(namespacePath, () => openUnboundSocket('tcp', net.isIPv6(address) ? 6 : 4));
  } catch (error) {
    return Promise.resolve(messageOf(error));
  }
  return new Promise(resolve => {
    // Nothing can be read before it is connected: it must not try at once.
    const options: net.SocketConstructorOpts & { manualStart: boolean } = { fd, manualStart: true };
    const socket = new net.Socket({ ...options, readable: true, writable: true });
    const finish = (outcome: string) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.setTimeout(connectTimeoutMs, () => finish('gets no answer'));
    socket.once('connect', () => finish('is accepted'));
    socket.once('error', error => finish(outcomes[errnoOf(error) ?? ''] ?? error.message));
    socket.connect(port, address);
  });
}

const outcomes: Record<string, string> = {
  ECONNREFUSED: 'is refused',
  EHOSTUNREACH: 'reaches no machine',
  ENETUNREACH: 'has no way to go',
};

/** Long enough for the second SYN, which is sent after a second. */
const connectTimeoutMs = 3500;
