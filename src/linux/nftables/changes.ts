import { closeSync } from 'node:fs';
import { errnoOf } from '../../stdx/errors.ts';
import { MSG_DONTWAIT } from '../constants.ts';
import { libc } from '../libc.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/socket.ts';
import { pollDescriptor } from '../poll.ts';

/**
 * Calls back soon after anybody changed any nftables table of the network namespace the thread is in now, our own
 * changes included. What changed is not said: messages are lost when many come at once, so nobody may build on them.
 * @returns stops it.
 */
export function watchNftables(onChange: () => void): () => void {
  const socket = new NetlinkSocket(NETLINK_NETFILTER);
  // Members of a group that have no address yet hear nothing. struct sockaddr_nl: the kernel chooses the port id.
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK);
  bind('nftables changes', socket.fd, address, address.length);
  const group = Buffer.alloc(4);
  group.writeUInt32LE(NFNLGRP_NFTABLES);
  setsockopt('nftables changes', socket.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group, group.length);
  const poller = pollDescriptor(socket.fd, () => {
    drain(socket.fd);
    onChange();
  });
  poller.watch({ readable: true });
  let stopped = false;
  return () => {
    if (stopped) return;
    stopped = true;
    poller.close();
    closeSync(socket.fd);
  };
}

function drain(fd: number): void {
  for (let datagrams = 0; datagrams < datagramsPerTurn; datagrams++) {
    try {
      recv('nftables changes', fd, ignored, ignored.length, MSG_DONTWAIT);
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') return;
      // More than its buffer holds: there was a change, and that is all we want to know.
      if (errnoOf(error) !== 'ENOBUFS') throw error;
    }
  }
}

const datagramsPerTurn = 100;
/** The rest of a longer datagram is thrown away by the kernel. */
const ignored = Buffer.alloc(16);

// linux/netlink.h, linux/netfilter/nfnetlink.h
const AF_NETLINK = 16;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NFNLGRP_NFTABLES = 7;

const setsockopt = libc<[number, number, number, Buffer, number]>(
  'int setsockopt(int fd, int level, int option, const void *value, uint32_t length)',
);
const bind = libc<[number, Buffer, number]>('int bind(int fd, const void *address, uint32_t length)');
const recv = libc<[number, Buffer, number, number]>(
  'long recv(int fd, void *buffer, size_t length, int flags)',
);
