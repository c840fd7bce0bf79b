import koffi from 'koffi';
import { libc } from '../libc.ts';
import type { NetlinkSocket } from './socket.ts';

/**
 * Makes a link's carrier count at once. The kernel tells a bridge that a port has its cable plugged in from a work
 * queue, a moment after both ends of a veth are up; a packet that comes before is lost, and is sent again only after
 * a second. Asking for the link state makes the kernel do that work first (net/core/link_watch.c,
 * linkwatch_sync_dev, by ethtool_op_get_link).
 *
 * struct ifreq (linux/if.h) and the struct ethtool_value (linux/ethtool.h) it points to:
 *
 *     0                 16        24        40        0         4        8
 *     +-----------------+---------+---------+         +---------+--------+
 *     | name            | pointer | unused  |         | command | answer |
 *     +-----------------+---------+---------+         +---------+--------+
 */
export function syncCarrier(socket: NetlinkSocket, name: string): void {
  const value = Buffer.alloc(8);
  value.writeUInt32LE(ETHTOOL_GLINK, 0);
  const request = Buffer.alloc(40);
  request.write(name, 0, 15);
  request.writeBigUInt64LE(BigInt(koffi.address(value)), 16);
  ioctl(name, socket.fd, SIOCETHTOOL, request);
}

// linux/sockios.h, linux/ethtool.h
const SIOCETHTOOL = 0x8946;
const ETHTOOL_GLINK = 0x0a;

const ioctl = libc<[number, number, Buffer]>('int ioctl(int fd, unsigned long request, void *argument)');
