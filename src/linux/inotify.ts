import { closeSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { errnoOf } from '../stdx/errors.ts';
import { IN_CLOEXEC, IN_NONBLOCK } from './constants.ts';
import { cPath, libc } from './libc.ts';
import { pollDescriptor } from './poll.ts';

export interface DirectoryEvent {
  /** IN_* bits. IN_Q_OVERFLOW: events were lost, look at the whole directory. */
  mask: number;
  /** The entry's name; '' for the directory itself. */
  name: string;
}

/** Calls back for every event below a directory (not deeper), from now on. @returns stops it. */
export function watchDirectory(
  path: string,
  mask: number,
  onEvent: (event: DirectoryEvent) => void,
): () => void {
  const fd = inotifyInit('', IN_NONBLOCK | IN_CLOEXEC);
  try {
    addWatch(path, fd, cPath(path), mask);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const buffer = Buffer.allocUnsafe(64 << 10);
  let stopped = false;
  const poller = pollDescriptor(fd, () => {
    for (const event of parseEvents(readAvailable(fd, buffer))) {
      if (!stopped) onEvent(event);
    }
  });
  poller.watch({ readable: true });
  return () => {
    if (stopped) return;
    stopped = true;
    poller.close();
    closeSync(fd);
  };
}

/**
 *     struct inotify_event   0 int32 watch | 4 uint32 mask | 8 uint32 cookie | 12 uint32 length | 16 name, zero padded
 */
export function* parseEvents(bytes: Buffer): Generator<DirectoryEvent> {
  for (let offset = 0; offset + 16 <= bytes.length; ) {
    const mask = readUInt32(bytes, offset + 4);
    const length = readUInt32(bytes, offset + 12);
    const name = bytes.subarray(offset + 16, offset + 16 + length);
    const end = name.indexOf(0);
    yield { mask, name: name.toString('utf8', 0, end === -1 ? length : end) };
    offset += 16 + length;
  }
}

const inotifyInit = libc<[number]>('int inotify_init1(int flags)');
const addWatch = libc<[number, string | Buffer, number]>(
  'int inotify_add_watch(int fd, const char *path, uint mask)',
);

const readUInt32 = (bytes: Buffer, offset: number): number =>
  endianness() === 'LE' ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);

function readAvailable(fd: number, buffer: Buffer): Buffer {
  try {
    return Buffer.from(buffer.subarray(0, readSync(fd, buffer)));
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return Buffer.alloc(0);
    throw error;
  }
}
