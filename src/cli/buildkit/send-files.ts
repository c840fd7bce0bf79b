import { closeSync, constants, openSync, readSync } from 'node:fs';
import { goFileMode, packetMessage, packetType, type statMessage } from '../../api/buildkit/filesync.ts';
import type { GrpcCall } from '../../api/grpc/server.ts';
import type { InitOf } from '../../api/protobuf.ts';
import { messageOf } from '../../stdx/errors.ts';
import type { WalkedFile } from './walk.ts';

type Stat = InitOf<typeof statMessage>;

const batchSize = 256;
const chunkBytes = 256 * 1024;

/**
 * Sends what the daemon asks for of a directory: first what there is, then the files it has not.
 * @param walked of that directory, all of it once
 */
export async function sendFiles(root: string, walked: Iterable<WalkedFile>, call: GrpcCall): Promise<void> {
  const files: string[] = [];
  const walking = announce(walked, call, files);
  // A failed walk ends the call below.
  walking.catch(() => {});
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for await (const message of call.messages) {
    const { type, id, data } = packetMessage.decode(message);
    if (type === packetType.request) await sendFile(`${root}/${files[id] ?? ''}`, id, buffer, call);
    else if (type === packetType.error) throw new Error(`error from receiver: ${data}`);
    else if (type === packetType.fin) {
      await walking;
      await call.send(packetMessage.encode({ type: packetType.fin }));
      return;
    }
  }
  await walking;
}

async function announce(walked: Iterable<WalkedFile>, call: GrpcCall, files: string[]): Promise<void> {
  let batch: Buffer[] = [];
  try {
    for (const file of walked) {
      files.push(file.path);
      batch.push(packetMessage.encode({ type: packetType.stat, stat: statOf(file) }));
      if (batch.length < batchSize) continue;
      await call.sendAll(batch);
      batch = [];
    }
    batch.push(packetMessage.encode({ type: packetType.stat }));
    await call.sendAll(batch);
  } catch (error) {
    const data = Buffer.from(messageOf(error));
    await call.send(packetMessage.encode({ type: packetType.error, data })).catch(() => {});
    throw error;
  }
}

async function sendFile(path: string, id: number, buffer: Buffer, call: GrpcCall): Promise<void> {
  // What a symbolic link leads to was not offered.
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (;;) {
      const length = readSync(file, buffer);
      const end = length === 0 ? [] : [{ data: buffer.subarray(0, length) }];
      // A file that fits into one piece is sent with its end.
      const packets = length < chunkBytes ? [...end, {}] : end;
      await call.sendAll(
        packets.map(packet => packetMessage.encode({ type: packetType.data, id, ...packet })),
      );
      if (length < chunkBytes) return;
    }
  } finally {
    closeSync(file);
  }
}

function statOf({ path, mode, size, mtimeNs, device, link }: WalkedFile): Stat {
  const stat: Stat = { path, mode: goMode(mode), size, modTime: mtimeNs, linkname: link };
  if (device === 0) return stat;
  return {
    ...stat,
    devmajor: (device >> 8) & 0xfff,
    devminor: (device & 0xff) | ((device >> 12) & 0xfff00),
  };
}

/** As Go's os.FileMode. */
function goMode(mode: number): number {
  let bits = mode & 0o777;
  if ((mode & 0o4000) !== 0) bits += goFileMode.setuid;
  if ((mode & 0o2000) !== 0) bits += goFileMode.setgid;
  if ((mode & 0o1000) !== 0) bits += goFileMode.sticky;
  return bits + (typeBits.get(mode & constants.S_IFMT) ?? 0);
}

const typeBits = new Map<number, number>([
  [constants.S_IFDIR, goFileMode.directory],
  [constants.S_IFLNK, goFileMode.symlink],
  [constants.S_IFIFO, goFileMode.namedPipe],
  [constants.S_IFCHR, goFileMode.device + goFileMode.characterDevice],
  [constants.S_IFBLK, goFileMode.device],
]);
