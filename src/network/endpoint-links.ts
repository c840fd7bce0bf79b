import { closeSync } from 'node:fs';
import { openNamespace, withNetworkNamespace } from '../linux/namespaces.ts';
import { addAddress } from '../linux/netlink/addresses.ts';
import { syncCarrier } from '../linux/netlink/carrier.ts';
import {
  addVeth,
  deleteLink,
  findLink,
  listLinks,
  setBridgePort,
  setLink,
  setLinkUp,
} from '../linux/netlink/links.ts';
import { setDefaultRoute } from '../linux/netlink/routes.ts';
import { NetlinkSocket } from '../linux/netlink/socket.ts';
import { parseIp } from '../stdx/ip.ts';
import type { BridgeSettings, Endpoint, InterfaceStatistics } from './network.ts';
import { writeSysctl } from './sysctl.ts';

/** Where an endpoint's default routes lead; undefined entries set none. */
export interface DefaultRoutes {
  ipv4?: string;
  ipv6?: string;
}

/**
 * Gives a container its interface: a veth whose one end is a port of the bridge and whose other end appears inside,
 * with its final name and MAC address. What was made is taken away again when a later step fails.
 */
export function connectLink(
  host: NetlinkSocket,
  endpoint: Endpoint,
  to: { bridge: BridgeSettings; namespacePath: string; routes: DefaultRoutes; group: number },
): void {
  const { bridge, namespacePath, routes, group } = to;
  const bridgeLink = findLink(host, bridge.linkName);
  const namespaceFd = openNamespace(namespacePath);
  try {
    addVeth(host, {
      name: endpoint.hostLinkName,
      masterIndex: bridgeLink?.index,
      mtu: bridge.mtu,
      group,
      peer: { name: endpoint.interfaceName, macAddress: endpoint.macAddress, namespaceFd },
    });
  } finally {
    closeSync(namespaceFd);
  }
  try {
    attachPort(host, endpoint.hostLinkName, bridge);
    withNetworkNamespace(namespacePath, () => setUpInside(endpoint, routes));
    syncCarrier(host, endpoint.hostLinkName);
  } catch (error) {
    deleteLink(host, endpoint.hostLinkName);
    throw error;
  }
}

/** Makes a link a port of its bridge again, after the bridge was lost. */
export function reattachPort(host: NetlinkSocket, hostLinkName: string, bridge: BridgeSettings): void {
  const link = findLink(host, hostLinkName);
  const master = findLink(host, bridge.linkName);
  if (link === undefined || master === undefined || link.masterIndex === master.index) return;
  setLink(host, link.index, { masterIndex: master.index });
  attachPort(host, hostLinkName, bridge);
}

/** The container's default routes, now by another network. */
export function setDefaultRoutes(namespacePath: string, routes: DefaultRoutes): void {
  withNetworkNamespace(namespacePath, () => {
    using socket = new NetlinkSocket();
    addDefaultRoutes(socket, routes);
  });
}

export function bringLoopbackUp(namespacePath: string): void {
  withNetworkNamespace(namespacePath, () => {
    using socket = new NetlinkSocket();
    switchIPv6Off();
    setLinkUp(socket, 'lo');
  });
}

/** Counters of all interfaces inside but `lo`. */
export function readStatistics(namespacePath: string): InterfaceStatistics[] {
  return withNetworkNamespace(namespacePath, () => {
    using socket = new NetlinkSocket();
    return listLinks(socket).flatMap(({ name, statistics }) =>
      name === 'lo' || statistics === undefined ? [] : [{ name, ...statistics }],
    );
  });
}

/**
 * Hairpin: where br_netfilter is loaded (dockerd loads it) a container's packet to its own published port is
 * translated inside the bridge and has to leave by the port it came from.
 */
function attachPort(host: NetlinkSocket, hostLinkName: string, bridge: BridgeSettings): void {
  const link = findLink(host, hostLinkName)!;
  setBridgePort(host, link.index, { hairpin: true, isolated: !bridge.interContainer });
  setLink(host, link.index, { up: true });
}

/** Runs inside of the container's namespace; `lo` first, as Docker's containers have it in every mode. */
function setUpInside(endpoint: Endpoint, routes: DefaultRoutes): void {
  using socket = new NetlinkSocket();
  switchIPv6Off();
  setLinkUp(socket, 'lo');
  const link = findLink(socket, endpoint.interfaceName)!;
  writeSysctl(`ipv6/conf/${endpoint.interfaceName}/disable_ipv6`, endpoint.ipv6 === undefined ? '1' : '0');
  if (endpoint.ipv6 !== undefined) writeSysctl('ipv6/conf/lo/disable_ipv6', '0');
  for (const held of [endpoint.ipv4, endpoint.ipv6]) {
    if (held === undefined) continue;
    const { prefixLength } = held;
    addAddress(socket, { linkIndex: link.index, address: parseIp(held.address)!, prefixLength });
  }
  setLink(socket, link.index, { up: true });
  addDefaultRoutes(socket, routes);
}

/**
 * As dockerd does: no IPv6 at all, neither link-local nor ::1, but on the links of networks with it. The kernel sets
 * all links when `all` changes, so that this happens once, before the first of them is set apart.
 */
function switchIPv6Off(): void {
  writeSysctl('ipv6/conf/all/disable_ipv6', '1');
}

function addDefaultRoutes(socket: NetlinkSocket, routes: DefaultRoutes): void {
  for (const gateway of [routes.ipv4, routes.ipv6]) {
    if (gateway !== undefined) setDefaultRoute(socket, parseIp(gateway)!);
  }
}
