import { addAddress, deleteAddress, listAddresses } from '../linux/netlink/addresses.ts';
import { addBridge, findLink, type Link, listLinks, setLink } from '../linux/netlink/links.ts';
import { listRoutes } from '../linux/netlink/routes.ts';
import type { NetlinkSocket } from '../linux/netlink/socket.ts';
import { EngineError } from '../stdx/errors.ts';
import { formatIp, type IpAddress, ipBytes, parseIp, parseSubnet, type Subnet } from '../stdx/ip.ts';
import type { Network } from './network.ts';
import { writeSysctl } from './sysctl.ts';

/**
 * Makes a network's bridge, or completes one that is there: repeating it changes nothing.
 * @param mark written on the link as its alias: which daemon it belongs to.
 * @param guarded whether there is a firewall.
 */
export function ensureBridge(
  socket: NetlinkSocket,
  network: Network,
  mark: string,
  { guarded }: { guarded: boolean },
): void {
  const { linkName, mtu } = network.bridge!;
  const addresses = gatewayAddresses(network);
  let link = findLink(socket, linkName);
  // What an earlier daemon made, with another database, is ours too; an administrator's own bridge never becomes it.
  const ours = link === undefined || link.alias?.startsWith(markPrefix) === true;
  if (link === undefined) {
    addBridge(socket, { name: linkName, mtu, macAddress: bridgeMac(addresses) });
    link = findLink(socket, linkName)!;
  } else if (link.kind !== 'bridge') {
    throw new EngineError('conflict', `link "${linkName}" exists and is no bridge`);
  }
  // The host is the router there: it takes no routes from containers that say they are one.
  writeSysctl(`ipv6/conf/${linkName}/accept_ra`, '0');
  // Lets 127.0.0.1 be published; the guard chain of the firewall keeps it from everybody else.
  writeSysctl(`ipv4/conf/${linkName}/route_localnet`, guarded ? '1' : '0');
  setAddresses(socket, link.index, addresses, { removeOthers: ours });
  setLink(socket, link.index, ours ? { up: true, alias: mark } : { up: true });
}

/** @param id of the daemon's database. */
export function markOf(id: string): string {
  return `${markPrefix}${id}`;
}

const markPrefix = 'gantry ';

/** The bridge of a network, if we made it: one that was there before (`com.docker.network.bridge.name`) stays. */
export function madeBridge(socket: NetlinkSocket, linkName: string, mark: string): Link | undefined {
  const link = findLink(socket, linkName);
  return link?.kind === 'bridge' && link.alias === mark ? link : undefined;
}

/** Bridges a daemon with this mark made for networks it no longer has. */
export function orphanedBridges(socket: NetlinkSocket, mark: string, known: ReadonlySet<string>): string[] {
  return listLinks(socket)
    .filter(link => link.kind === 'bridge' && link.alias === mark && !known.has(link.name))
    .map(link => link.name);
}

/** Where the host sends packets already; the default route is everywhere, and our own bridges do not count. */
export function hostSubnets(socket: NetlinkSocket, ownLinks: ReadonlySet<string>): Subnet[] {
  const own = new Set(listLinks(socket).flatMap(link => (ownLinks.has(link.name) ? [link.index] : [])));
  return listRoutes(socket, 'all')
    .filter(route => route.destination.prefixLength > 0)
    .filter(route => route.linkIndex === undefined || !own.has(route.linkIndex))
    .map(route => route.destination);
}

/** Names of bridges that are called as dockerd calls its own; ours are called so, too. */
export function dockerBridges(socket: NetlinkSocket): string[] {
  return listLinks(socket)
    .filter(link => link.kind === 'bridge' && /^(docker0|br-[0-9a-f]{12})$/.test(link.name))
    .map(link => link.name);
}

interface GatewayAddress {
  address: IpAddress;
  prefixLength: number;
}

function gatewayAddresses(network: Network): GatewayAddress[] {
  return network.ipam.pools.flatMap(pool => {
    const address = pool.gateway === undefined ? undefined : parseIp(pool.gateway);
    if (address?.family === 4 && network.bridge?.inhibitIpv4 === true) return [];
    return address === undefined ? [] : [{ address, prefixLength: parseSubnet(pool.subnet)!.prefixLength }];
  });
}

/** A bridge without an address of its own takes its ports': it would change, and neighbours would lose it. */
function bridgeMac(addresses: readonly GatewayAddress[]): string | undefined {
  const first = addresses.find(({ address }) => address.family === 4);
  return first === undefined ? undefined : macFromIpv4(first.address);
}

/** Docker's scheme: `02:42` (locally administered) and the IPv4 address. */
export function macFromIpv4(address: IpAddress): string {
  return ['02', '42', ...[...ipBytes(address)].map(byte => byte.toString(16).padStart(2, '0'))].join(':');
}

/** Link-local addresses are the kernel's own business. */
function setAddresses(
  socket: NetlinkSocket,
  linkIndex: number,
  wanted: readonly GatewayAddress[],
  { removeOthers }: { removeOthers: boolean },
): void {
  const key = ({ address, prefixLength }: GatewayAddress) => `${formatIp(address)}/${prefixLength}`;
  const present = listAddresses(socket).filter(
    held => held.linkIndex === linkIndex && !isLinkLocal(held.address),
  );
  const wantedKeys = new Set(wanted.map(key));
  const presentKeys = new Set(present.map(key));
  for (const held of present) if (removeOthers && !wantedKeys.has(key(held))) deleteAddress(socket, held);
  for (const { address, prefixLength } of wanted.filter(one => !presentKeys.has(key(one)))) {
    addAddress(socket, { linkIndex, address, prefixLength });
  }
}

function isLinkLocal({ family, value }: IpAddress): boolean {
  return family === 6 && value >> 118n === 0x3fan;
}
