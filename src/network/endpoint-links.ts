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
import { setDefaultRoute, setDirectDefaultRoute } from '../linux/netlink/routes.ts';
import { NetlinkSocket } from '../linux/netlink/socket.ts';
import { addIpvlan, addMacvlan } from '../linux/netlink/stacked-links.ts';
import { EngineError } from '../stdx/errors.ts';
import { parseIp } from '../stdx/ip.ts';
import { sysctlFor } from './endpoint-options.ts';
import type { BridgeSettings, Endpoint, InterfaceStatistics, Network, ParentSettings } from './network.ts';
import { readSysctl, writeSysctl } from './sysctl.ts';

/** Where a container's default routes lead; undefined entries set none. */
export interface DefaultRoutes {
  ipv4?: DefaultRoute;
  ipv6?: DefaultRoute;
}

export interface DefaultRoute {
  interfaceName: string;
  /** undefined: everything is taken to be on the link itself (ipvlan in mode l3). */
  gateway?: string;
}

/**
 * Gives a container its interface with addresses and routes. What was made is taken away again when a later step
 * fails.
 */
export function connectLink(
  host: NetlinkSocket,
  endpoint: Endpoint,
  to: { network: Network; namespacePath: string; routes: DefaultRoutes; group: number },
): void {
  const { network } = to;
  if (network.bridge !== undefined) connectToBridge(host, endpoint, { ...to, bridge: network.bridge });
  else if (network.parent !== undefined) stackOnParent(host, endpoint, { ...to, parent: network.parent });
  else throw new EngineError('internal', `network ${network.name} has no links`);
}

/** Whether the interface that `connectLink` made is there still. */
export function isConnected(host: NetlinkSocket, endpoint: Endpoint, namespacePath: string): boolean {
  if (endpoint.hostLinkName !== '') return findLink(host, endpoint.hostLinkName) !== undefined;
  return withNetworkNamespace(namespacePath, () => {
    using socket = new NetlinkSocket();
    return findLink(socket, endpoint.interfaceName) !== undefined;
  });
}

/** Takes the interface away, wherever it can be reached from; deleting makes the kernel wait: some 20 ms. */
export function disconnectLink(host: NetlinkSocket, endpoint: Endpoint, namespacePath?: string): void {
  if (endpoint.hostLinkName !== '') deleteLink(host, endpoint.hostLinkName);
  else if (endpoint.interfaceName !== '' && namespacePath !== undefined) {
    withNetworkNamespace(namespacePath, () => {
      using socket = new NetlinkSocket();
      deleteLink(socket, endpoint.interfaceName);
    });
  }
}

/**
 * Takes a link away that has no end on the host, from a namespace that others keep after its container is gone: with
 * it an address on the wire that another container may have by now. In other namespaces it finds nothing.
 */
export function removeKeptLink({ interfaceName, macAddress }: Endpoint, namespacePath: string): void {
  withNetworkNamespace(namespacePath, () => {
    using socket = new NetlinkSocket();
    const link = findLink(socket, interfaceName);
    const isStacked = link?.kind === 'macvlan' || link?.kind === 'ipvlan';
    if (isStacked && (macAddress === '' || link.macAddress === macAddress)) deleteLink(socket, interfaceName);
  });
}

/** A macvlan or ipvlan upon the parent appears inside, and nothing of it is left on the host. */
function stackOnParent(
  host: NetlinkSocket,
  endpoint: Endpoint,
  to: { parent: ParentSettings; namespacePath: string; routes: DefaultRoutes },
): void {
  const { parent, namespacePath, routes } = to;
  const parentLink = findLink(host, parent.linkName);
  if (parentLink === undefined) {
    throw new EngineError('notFound', `the parent link ${parent.linkName} is not on the host (any more)`);
  }
  const namespaceFd = openNamespace(namespacePath);
  try {
    const link = {
      name: endpoint.interfaceName,
      parentIndex: parentLink.index,
      mtu: parent.mtu,
      namespaceFd,
    };
    const { stacking } = parent;
    if (stacking.kind === 'ipvlan') addIpvlan(host, { ...link, ...stacking });
    else addMacvlan(host, { ...link, ...stacking, macAddress: endpoint.macAddress });
  } finally {
    closeSync(namespaceFd);
  }
  try {
    withNetworkNamespace(namespacePath, () => setUpInside(endpoint, routes));
  } catch (error) {
    disconnectLink(host, endpoint, namespacePath);
    throw error;
  }
}

/**
 * A veth whose one end is a port of the bridge and whose other end appears inside, with its final name and MAC
 * address.
 */
function connectToBridge(
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
  // A macvlan in mode passthru comes with its parent's address, and gives it its own.
  if (endpoint.macAddress !== '' && link.macAddress !== endpoint.macAddress) {
    setLink(socket, link.index, { macAddress: endpoint.macAddress });
  }
  writeSysctl(`ipv6/conf/${endpoint.interfaceName}/disable_ipv6`, endpoint.ipv6 === undefined ? '1' : '0');
  if (endpoint.ipv6 !== undefined) writeSysctl('ipv6/conf/lo/disable_ipv6', '0');
  for (const held of [endpoint.ipv4, endpoint.ipv6]) {
    if (held === undefined) continue;
    const { prefixLength } = held;
    addAddress(socket, { linkIndex: link.index, address: parseIp(held.address)!, prefixLength });
  }
  for (const text of endpoint.linkLocalIps ?? []) {
    const address = parseIp(text)!;
    addAddress(socket, { linkIndex: link.index, address, prefixLength: address.family === 4 ? 16 : 64 });
  }
  setLink(socket, link.index, { up: true });
  for (const text of endpoint.sysctls ?? []) setOwnSysctl(text, endpoint.interfaceName);
  addDefaultRoutes(socket, routes);
}

/**
 * As dockerd does: no IPv6 at all, neither link-local nor ::1, but on the links of networks with it. The kernel sets
 * all links when `all` changes, so that this happens once, before the first of them is set apart.
 */
function switchIPv6Off(): void {
  writeSysctl('ipv6/conf/all/disable_ipv6', '1');
}

/** @throws invalid where the kernel has no such setting */
function setOwnSysctl(text: string, interfaceName: string): void {
  const { path, value } = sysctlFor(text, interfaceName);
  if (readSysctl(path) === undefined) {
    throw new EngineError('invalid', `/proc/sys/net/${path} is not a sysctl file`);
  }
  writeSysctl(path, value);
}

function addDefaultRoutes(socket: NetlinkSocket, routes: DefaultRoutes): void {
  for (const family of [4, 6] as const) {
    const route = family === 4 ? routes.ipv4 : routes.ipv6;
    const link = route && findLink(socket, route.interfaceName);
    if (route === undefined || link === undefined) continue;
    if (route.gateway === undefined) setDirectDefaultRoute(socket, family, link.index);
    else setDefaultRoute(socket, parseIp(route.gateway)!, link.index);
  }
}
