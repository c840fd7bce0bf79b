import { findLink, type Link, listLinks, setLink } from '../linux/netlink/links.ts';
import type { NetlinkSocket } from '../linux/netlink/socket.ts';
import { addDeadEnd, addVlan, knowsLinkKind } from '../linux/netlink/stacked-links.ts';
import { EngineError, within } from '../stdx/errors.ts';
import type { Network } from './network.ts';
import { isDeadEnd, parseVlanName } from './parent-options.ts';

/**
 * Makes the parent of a macvlan or ipvlan network where it is to be made: a VLAN sub-interface that is not there, or
 * a link that leads nowhere. Repeating it changes nothing.
 * @param mark written on what is made: which daemon it belongs to.
 * @throws invalid, in Docker's words; notImplemented where the kernel lacks the kind of link
 */
export function ensureParent(socket: NetlinkSocket, network: Network, mark: string): void {
  const { linkName, stacking } = network.parent!;
  requireKind(socket, stacking.kind);
  if (findLink(socket, linkName) !== undefined) return;
  if (isDeadEnd(network)) addDeadEnd(socket, linkName);
  else addVlanLink(socket, linkName);
  setLink(socket, findLink(socket, linkName)!.index, { alias: mark });
}

/** The parent of a network, if we made it: one that was there before stays. */
export function madeParent(socket: NetlinkSocket, linkName: string, mark: string): Link | undefined {
  const link = findLink(socket, linkName);
  return link !== undefined && isMadeParent(link, mark) ? link : undefined;
}

/** Parents a daemon with this mark made for networks it no longer has. */
export function orphanedParents(socket: NetlinkSocket, mark: string, known: ReadonlySet<string>): string[] {
  return listLinks(socket)
    .filter(link => isMadeParent(link, mark) && !known.has(link.name))
    .map(link => link.name);
}

function isMadeParent({ kind = '', alias }: Link, mark: string): boolean {
  return ['vlan', 'dummy', 'ifb'].includes(kind) && alias === mark;
}

function requireKind(socket: NetlinkSocket, kind: 'macvlan' | 'ipvlan' | 'vlan'): void {
  if (knowsLinkKind(socket, kind)) return;
  throw new EngineError(
    'notImplemented',
    `this kernel has no ${kind} links (CONFIG_${{ macvlan: 'MACVLAN', ipvlan: 'IPVLAN', vlan: 'VLAN_8021Q' }[kind]})`,
  );
}

function addVlanLink(socket: NetlinkSocket, name: string): void {
  const { parentName, id } = parseVlanName(name);
  const parent = findLink(socket, parentName);
  if (parent === undefined) {
    throw new EngineError('invalid', `-o parent interface was not found on the host: ${parentName}`);
  }
  if (id < 1 || id > 4094) {
    throw new EngineError('invalid', `vlan id must be between 1-4094, received: ${id}`);
  }
  requireKind(socket, 'vlan');
  try {
    addVlan(socket, { name, parentIndex: parent.index, id });
  } catch (error) {
    throw within(`failed to create ${name} vlan link`, error);
  }
}
