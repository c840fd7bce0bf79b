import { SystemError } from '../libc.ts';
import { pollDescriptor } from '../poll.ts';
import { isUpHeader, type Link, linkHeader, RTM_DELLINK, RTM_NEWLINK } from './links.ts';
import { NetlinkSocket } from './socket.ts';

/**
 * Deletes a link of the network namespace the thread is in now, without waiting for all the kernel does: it lets a link go
 * when all CPUs have forgotten it, after 30 to 40 ms. But within the first one it announces that the link is down. From
 * then on nothing reaches it, whoever asks for it waits for the kernel's lock and is told that there is none, and not even
 * the end of this process stops the deletion. That is when this resolves; only the link's directory in /sys is seen for
 * some 20 ms more.
 * @throws SystemError; a link that is gone already is none.
 */
export async function removeLink(link: Pick<Link, 'index' | 'name'>): Promise<void> {
  const end = listenForEnd(link.index);
  try {
    await Promise.race([end.announced, deleteInThread(link)]);
  } finally {
    end.close();
  }
}

async function deleteInThread({ index, name }: Pick<Link, 'index' | 'name'>): Promise<void> {
  using socket = new NetlinkSocket();
  try {
    await socket.requestAside(`deleting link "${name}"`, RTM_DELLINK, 0, [linkHeader(index)]);
  } catch (error) {
    if (!(error instanceof SystemError && error.code === 'ENODEV')) throw error;
  }
}

function listenForEnd(index: number): { announced: Promise<void>; close: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = new NetlinkSocket();
  socket.join(RTNLGRP_LINK);
  const poller = pollDescriptor(socket.fd, () => {
    for (const { type, payload } of socket.arrived()) {
      const isEnd = type === RTM_DELLINK || (type === RTM_NEWLINK && !isUpHeader(payload));
      if (isEnd && payload.readInt32LE(4) === index) resolve();
    }
  });
  poller.watch({ readable: true });
  const close = () => {
    poller.close();
    socket.close();
  };
  return { announced: promise, close };
}

// linux/rtnetlink.h
const RTNLGRP_LINK = 1;
