import { SystemError } from '../libc.ts';
import { attribute, nested, parseAttributes, readText, text, u8, u32 } from './attributes.ts';
import { type Message, NLM_F_CREATE, NLM_F_EXCL } from './message.ts';
import type { NetlinkSocket } from './socket.ts';

/** A network interface, as the kernel tells it. */
export interface Link {
  index: number;
  name: string;
  /** `bridge`, `veth`, `vxlan` ...; undefined for real devices and `lo`. */
  kind?: string;
  /** `02:42:ac:11:00:02`; '' when it has none. */
  macAddress: string;
  mtu: number;
  up: boolean;
  /** Index of the bridge it is a port of. */
  masterIndex?: number;
  /** Free text an administrator gave it (ifalias). */
  alias?: string;
  /** A number that says who made it; 0 when nobody said. */
  group: number;
  statistics?: LinkStatistics;
}

export interface LinkStatistics {
  rxPackets: number;
  txPackets: number;
  rxBytes: number;
  txBytes: number;
  rxErrors: number;
  txErrors: number;
  rxDropped: number;
  txDropped: number;
}

export function listLinks(socket: NetlinkSocket): Link[] {
  return socket.dump('listing links', RTM_GETLINK, [linkHeader(0)]).map(decodeLink);
}

export function findLink(socket: NetlinkSocket, name: string): Link | undefined {
  try {
    const [answer] = socket.request(`reading link "${name}"`, RTM_GETLINK, 0, [
      linkHeader(0),
      text(IFLA_IFNAME, name),
    ]);
    return answer === undefined ? undefined : decodeLink(answer);
  } catch (error) {
    // Not there, or too long to be any link's name: the question has an answer.
    if (error instanceof SystemError && (error.code === 'ENODEV' || error.code === 'ERANGE'))
      return undefined;
    throw error;
  }
}

/**
 * One message makes both ends: ours becomes a port of the bridge, the peer appears in the other namespace under
 * its final name and MAC address, so nothing has to be moved or renamed. Both are down.
 * @param peer.namespaceFd an open namespace file.
 */
export function addVeth(
  socket: NetlinkSocket,
  options: {
    name: string;
    masterIndex?: number;
    mtu?: number;
    group?: number;
    peer: { name: string; macAddress?: string; namespaceFd: number };
  },
): void {
  const { peer } = options;
  const mtu = options.mtu === undefined ? [] : [u32(IFLA_MTU, options.mtu)];
  socket.request(`adding veth "${options.name}"`, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, [
    linkHeader(0),
    text(IFLA_IFNAME, options.name),
    ...mtu,
    ...(options.masterIndex === undefined ? [] : [u32(IFLA_MASTER, options.masterIndex)]),
    ...(options.group === undefined ? [] : [u32(IFLA_GROUP, options.group)]),
    linkInfo(
      'veth',
      nested(
        VETH_INFO_PEER,
        linkHeader(0),
        text(IFLA_IFNAME, peer.name),
        ...mtu,
        ...(peer.macAddress === undefined ? [] : [attribute(IFLA_ADDRESS, macBytes(peer.macAddress))]),
        u32(IFLA_NET_NS_FD, peer.namespaceFd),
      ),
    ),
  ]);
}

/** A bridge with a MAC address of its own keeps it; otherwise it changes with the ports that come and go. */
export function addBridge(
  socket: NetlinkSocket,
  options: { name: string; macAddress?: string; mtu?: number },
): void {
  socket.request(`adding bridge "${options.name}"`, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, [
    linkHeader(0),
    text(IFLA_IFNAME, options.name),
    ...(options.mtu === undefined ? [] : [u32(IFLA_MTU, options.mtu)]),
    ...(options.macAddress === undefined ? [] : [attribute(IFLA_ADDRESS, macBytes(options.macAddress))]),
    linkInfo('bridge'),
  ]);
}

/** A link that gives back what it is sent, after its queue (ifb): where incoming packets can be made to wait. Up. */
export function addIfb(socket: NetlinkSocket, options: { name: string; group: number }): void {
  socket.request(`adding ifb "${options.name}"`, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, [
    linkHeader(0, true),
    text(IFLA_IFNAME, options.name),
    u32(IFLA_GROUP, options.group),
    linkInfo('ifb'),
  ]);
}

/** Changes a link; what is left out stays. `masterIndex` 0 takes it out of its bridge. */
export function setLink(
  socket: NetlinkSocket,
  index: number,
  change: {
    up?: boolean;
    mtu?: number;
    macAddress?: string;
    name?: string;
    masterIndex?: number;
    alias?: string;
  },
): void {
  socket.request(`changing link ${change.name ?? index}`, RTM_NEWLINK, 0, [
    linkHeader(index, change.up),
    ...(change.mtu === undefined ? [] : [u32(IFLA_MTU, change.mtu)]),
    ...(change.macAddress === undefined ? [] : [attribute(IFLA_ADDRESS, macBytes(change.macAddress))]),
    ...(change.name === undefined ? [] : [text(IFLA_IFNAME, change.name)]),
    ...(change.masterIndex === undefined ? [] : [u32(IFLA_MASTER, change.masterIndex)]),
    ...(change.alias === undefined ? [] : [text(IFLA_IFALIAS, change.alias)]),
  ]);
}

/** As `setLink` with `up`, by name: saves looking the index up. */
export function setLinkUp(socket: NetlinkSocket, name: string): void {
  socket.request(`bringing up link "${name}"`, RTM_NEWLINK, 0, [
    linkHeader(0, true),
    text(IFLA_IFNAME, name),
  ]);
}

/**
 * How a bridge treats one of its ports.
 * @param port.hairpin frames may leave by the port they came from: a container reaching itself by a published port.
 * @param port.isolated the port talks to the bridge and to ports not isolated only (inter-container traffic off).
 */
export function setBridgePort(
  socket: NetlinkSocket,
  index: number,
  port: { hairpin?: boolean; isolated?: boolean },
): void {
  socket.request(`changing bridge port ${index}`, RTM_SETLINK, 0, [
    linkHeader(index, undefined, AF_BRIDGE),
    nested(
      IFLA_PROTINFO,
      ...(port.hairpin === undefined ? [] : [u8(IFLA_BRPORT_MODE, Number(port.hairpin))]),
      ...(port.isolated === undefined ? [] : [u8(IFLA_BRPORT_ISOLATED, Number(port.isolated))]),
    ),
  ]);
}

/** Deletes a link; a veth's peer goes with it. @returns false when there was none. */
export function deleteLink(socket: NetlinkSocket, name: string): boolean {
  return unlessGone(() => {
    socket.request(`deleting link "${name}"`, RTM_DELLINK, 0, [linkHeader(0), text(IFLA_IFNAME, name)]);
  });
}

/**
 * Deletes many links at once: the kernel waits for all CPUs to forget them, some 20 ms, once instead of for each.
 * They are put into a group of their own, which one message deletes (ip-link(8), `ip link delete group`). Those that
 * go by themselves meanwhile, as a veth does with the namespace at its other end, are gone too.
 */
export function deleteLinks(socket: NetlinkSocket, links: readonly Pick<Link, 'index' | 'name'>[]): void {
  const present = links.filter(({ index, name }) =>
    unlessGone(() => {
      socket.request(`grouping link "${name}"`, RTM_NEWLINK, 0, [
        linkHeader(index),
        u32(IFLA_GROUP, doomedGroup),
      ]);
    }),
  );
  if (present.length === 0) return;
  unlessGone(() => {
    socket.request('deleting links', RTM_DELLINK, 0, [linkHeader(0), u32(IFLA_GROUP, doomedGroup)]);
  });
}

/** @returns false when the link is not there (any more). */
function unlessGone(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ENODEV') return false;
    throw error;
  }
}

/** Any number nobody else uses; 0 is the group of all other links. */
const doomedGroup = 0x67616e74;

/** `02:42:ac:11:00:02` -> six bytes. */
export function macBytes(macAddress: string): Buffer {
  return Buffer.from(macAddress.replaceAll(':', ''), 'hex');
}

/**
 * struct ifinfomsg (linux/rtnetlink.h):
 *
 *     0        1     2       4        8       12       16
 *     +--------+-----+-------+--------+-------+--------+
 *     | family | pad | type  | index  | flags | change |
 *     +--------+-----+-------+--------+-------+--------+
 */
export function linkHeader(index: number, up?: boolean, family = 0): Buffer {
  const header = Buffer.alloc(linkHeaderBytes);
  header.writeUInt8(family, 0);
  header.writeInt32LE(index, 4);
  if (up !== undefined) {
    header.writeUInt32LE(up ? IFF_UP : 0, 8);
    header.writeUInt32LE(IFF_UP, 12);
  }
  return header;
}

/** Whether a link header, or what begins with one, says that the link is up. */
export function isUpHeader(header: Buffer): boolean {
  return (header.readUInt32LE(8) & IFF_UP) !== 0;
}

export function linkInfo(kind: string, ...data: Buffer[]): Buffer {
  const details = data.length === 0 ? [] : [nested(IFLA_INFO_DATA, ...data)];
  return nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, kind), ...details);
}

function decodeLink({ payload }: Message): Link {
  const attributes = parseAttributes(payload.subarray(linkHeaderBytes));
  const info = parseAttributes(attributes.get(IFLA_LINKINFO) ?? Buffer.alloc(0));
  const kind = info.get(IFLA_INFO_KIND);
  const alias = attributes.get(IFLA_IFALIAS);
  const statistics = attributes.get(IFLA_STATS64);
  return {
    index: payload.readInt32LE(4),
    name: readText(attributes.get(IFLA_IFNAME) ?? Buffer.alloc(0)),
    kind: kind && readText(kind),
    macAddress: formatMac(attributes.get(IFLA_ADDRESS) ?? Buffer.alloc(0)),
    mtu: attributes.get(IFLA_MTU)?.readUInt32LE() ?? 0,
    up: isUpHeader(payload),
    masterIndex: attributes.get(IFLA_MASTER)?.readUInt32LE(),
    alias: alias && readText(alias),
    group: attributes.get(IFLA_GROUP)?.readUInt32LE() ?? 0,
    statistics: statistics && decodeStatistics(statistics),
  };
}

/** struct rtnl_link_stats64 (linux/if_link.h): 64-bit counters, of which the first eight are wanted. */
function decodeStatistics(bytes: Buffer): LinkStatistics {
  const counter = (index: number) => Number(bytes.readBigUInt64LE(8 * index));
  return {
    rxPackets: counter(0),
    txPackets: counter(1),
    rxBytes: counter(2),
    txBytes: counter(3),
    rxErrors: counter(4),
    txErrors: counter(5),
    rxDropped: counter(6),
    txDropped: counter(7),
  };
}

function formatMac(bytes: Buffer): string {
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join(':');
}

// linux/rtnetlink.h, linux/if_link.h, linux/if.h, linux/veth.h
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const linkHeaderBytes = 16;
const AF_BRIDGE = 7;
const IFF_UP = 1;
export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_STATS64 = 23;
const IFLA_GROUP = 27;
export const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const VETH_INFO_PEER = 1;
