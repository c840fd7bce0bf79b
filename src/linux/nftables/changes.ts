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
  socket.join(NFNLGRP_NFTABLES);
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

// linux/netfilter/nfnetlink.h
const NFNLGRP_NFTABLES = 7;

const recv = libc<[number, Buffer, number, number]>(
  'long recv(int fd, void *buffer, size_t length, int flags)',
);
