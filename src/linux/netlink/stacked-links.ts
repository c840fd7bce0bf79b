import { SystemError } from '../libc.ts';
import { attribute, text, u16, u32 } from './attributes.ts';
import {
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  linkHeader,
  linkInfo,
  macBytes,
  RTM_NEWLINK,
} from './links.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from './message.ts';
import type { NetlinkSocket } from './socket.ts';

export type MacvlanMode = 'private' | 'vepa' | 'bridge' | 'passthru';
export type IpvlanMode = 'l2' | 'l3' | 'l3s';
export type IpvlanFlag = 'bridge' | 'private' | 'vepa';

/** A link upon another one, which is in our namespace; it appears in the other namespace, down. */
interface StackedLink {
  name: string;
  parentIndex: number;
  /** undefined: the parent's. */
  mtu?: number;
  /** An open namespace file. */
  namespaceFd: number;
}

/** A link with a MAC address of its own upon a parent: its frames enter and leave by the parent. */
export function addMacvlan(
  socket: NetlinkSocket,
  link: StackedLink & { mode: MacvlanMode; macAddress: string },
): void {
  addStacked(
    socket,
    link,
    [attribute(IFLA_ADDRESS, macBytes(link.macAddress))],
    linkInfo('macvlan', u32(IFLA_MACVLAN_MODE, macvlanModes[link.mode])),
  );
}

/** A link with the parent's own MAC address: the kernel tells whose a packet is by its IP address. */
export function addIpvlan(
  socket: NetlinkSocket,
  link: StackedLink & { mode: IpvlanMode; flag: IpvlanFlag },
): void {
  const { mode, flag } = link;
  addStacked(
    socket,
    link,
    [],
    linkInfo('ipvlan', u16(IFLA_IPVLAN_MODE, ipvlanModes[mode]), u16(IFLA_IPVLAN_FLAGS, ipvlanFlags[flag])),
  );
}

/** A sub-interface with the frames of one VLAN (IEEE 802.1Q), in our own namespace; up. */
export function addVlan(
  socket: NetlinkSocket,
  options: { name: string; parentIndex: number; id: number },
): void {
  socket.request(`adding vlan "${options.name}"`, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, [
    linkHeader(0, true),
    text(IFLA_IFNAME, options.name),
    u32(IFLA_LINK, options.parentIndex),
    linkInfo('vlan', u16(IFLA_VLAN_ID, options.id)),
  ]);
}

/**
 * A link that swallows all it is sent; up. An ifb does the same with what nobody redirected to it, where the kernel
 * has no dummy links.
 */
export function addDeadEnd(socket: NetlinkSocket, name: string): void {
  const add = (kind: string) =>
    socket.request(`adding ${kind} "${name}"`, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, [
      linkHeader(0, true),
      text(IFLA_IFNAME, name),
      linkInfo(kind),
    ]);
  try {
    add('dummy');
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'ENOTSUP') throw error;
    add('ifb');
  }
}

/** Whether the kernel knows this kind of link, or can load it. It is asked for one without its parent, which none is. */
export function knowsLinkKind(socket: NetlinkSocket, kind: 'macvlan' | 'ipvlan' | 'vlan'): boolean {
  try {
    socket.request(`asking for ${kind}`, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, [
      linkHeader(0),
      linkInfo(kind),
    ]);
    return true;
  } catch (error) {
    if (error instanceof SystemError) return error.code !== 'ENOTSUP';
    throw error;
  }
}

function addStacked(socket: NetlinkSocket, link: StackedLink, more: Buffer[], info: Buffer): void {
  socket.request(`adding link "${link.name}"`, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, [
    linkHeader(0),
    text(IFLA_IFNAME, link.name),
    u32(IFLA_LINK, link.parentIndex),
    ...(link.mtu === undefined ? [] : [u32(IFLA_MTU, link.mtu)]),
    ...more,
    u32(IFLA_NET_NS_FD, link.namespaceFd),
    info,
  ]);
}

// linux/if_link.h
const IFLA_LINK = 5;
const IFLA_VLAN_ID = 1;
const IFLA_MACVLAN_MODE = 1;
const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;
const macvlanModes: Record<MacvlanMode, number> = { private: 1, vepa: 2, bridge: 4, passthru: 8 };
const ipvlanModes: Record<IpvlanMode, number> = { l2: 0, l3: 1, l3s: 2 };
const ipvlanFlags: Record<IpvlanFlag, number> = { bridge: 0, private: 1, vepa: 2 };
