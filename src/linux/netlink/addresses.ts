import { bitsOf, formatIp, type IpAddress, ipBytes, ipFromBytes } from '../../stdx/ip.ts';
import { SystemError } from '../libc.ts';
import { attribute, parseAttributes, u32 } from './attributes.ts';
import { NLM_F_CREATE, NLM_F_REPLACE } from './message.ts';
import type { NetlinkSocket } from './socket.ts';

export interface LinkAddress {
  linkIndex: number;
  address: IpAddress;
  prefixLength: number;
}

/** Adds an address to a link; one that is there already is fine. An IPv6 address is usable at once (no DAD). */
export function addAddress(socket: NetlinkSocket, { linkIndex, address, prefixLength }: LinkAddress): void {
  const bytes = ipBytes(address);
  socket.request(
    `adding address ${formatIp(address)}/${prefixLength}`,
    RTM_NEWADDR,
    NLM_F_CREATE | NLM_F_REPLACE,
    [
      addressHeader(address.family, prefixLength, linkIndex),
      attribute(IFA_LOCAL, bytes),
      attribute(IFA_ADDRESS, bytes),
      ...(address.family === 4 && prefixLength < 31
        ? [attribute(IFA_BROADCAST, broadcastOf(address, prefixLength))]
        : []),
      ...(address.family === 6 ? [u32(IFA_FLAGS, IFA_F_NODAD)] : []),
    ],
  );
}

/** @returns false when the link does not have it. */
export function deleteAddress(
  socket: NetlinkSocket,
  { linkIndex, address, prefixLength }: LinkAddress,
): boolean {
  try {
    socket.request(`deleting address ${formatIp(address)}/${prefixLength}`, RTM_DELADDR, 0, [
      addressHeader(address.family, prefixLength, linkIndex),
      attribute(IFA_LOCAL, ipBytes(address)),
    ]);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === 'EADDRNOTAVAIL') return false;
    throw error;
  }
}

/** All addresses of the namespace, both families. */
export function listAddresses(socket: NetlinkSocket): LinkAddress[] {
  return socket.dump('listing addresses', RTM_GETADDR, [addressHeader(0, 0, 0)]).flatMap(({ payload }) => {
    const attributes = parseAttributes(payload.subarray(addressHeaderBytes));
    const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
    if (bytes === undefined) return [];
    return [
      { linkIndex: payload.readUInt32LE(4), address: ipFromBytes(bytes), prefixLength: payload.readUInt8(1) },
    ];
  });
}

/**
 * struct ifaddrmsg (linux/if_addr.h):
 *
 *     0        1        2       3       4       8
 *     +--------+--------+-------+-------+-------+
 *     | family | prefix | flags | scope | index |
 *     +--------+--------+-------+-------+-------+
 */
function addressHeader(family: 0 | 4 | 6, prefixLength: number, linkIndex: number): Buffer {
  const header = Buffer.alloc(addressHeaderBytes);
  header.writeUInt8(addressFamily(family), 0);
  header.writeUInt8(prefixLength, 1);
  header.writeUInt32LE(linkIndex, 4);
  return header;
}

/** AF_UNSPEC, AF_INET, AF_INET6. */
export function addressFamily(family: 0 | 4 | 6): number {
  return family === 4 ? 2 : family === 6 ? 10 : 0;
}

function broadcastOf({ family, value }: IpAddress, prefixLength: number): Buffer {
  const hostMask = (1n << BigInt(bitsOf(family) - prefixLength)) - 1n;
  return ipBytes({ family, value: value | hostMask });
}

// linux/rtnetlink.h, linux/if_addr.h
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const addressHeaderBytes = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;
