import {
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { goFileMode, packetMessage, packetType, type statMessage } from '../../api/buildkit/filesync.ts';
import type { GrpcCall } from '../../api/grpc/server.ts';
import type { InitOf } from '../../api/protobuf.ts';
import { messageOf } from '../../stdx/errors.ts';
import { type FileRequest, FileSelection } from './file-selection.ts';

type Stat = InitOf<typeof statMessage>;

const batchSize = 256;
const chunkBytes = 256 * 1024;

/** Sends what the daemon asks for of a directory: first what there is, then the files it has not. */
export async function sendFiles(root: string, request: FileRequest, call: GrpcCall): Promise<void> {
  const files = new Map<number, string>();
  const walking = announce(root, request, call, files);
  // A failed walk ends the call below.
  walking.catch(() => {});
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for await (const message of call.messages) {
    const { type, id, data } = packetMessage.decode(message);
    if (type === packetType.request) await sendFile(`${root}/${files.get(id) ?? ''}`, id, buffer, call);
    else if (type === packetType.error) throw new Error(`error from receiver: ${data}`);
    else if (type === packetType.fin) {
      await walking;
      await call.send(packetMessage.encode({ type: packetType.fin }));
      return;
    }
  }
  await walking;
}

async function announce(
  root: string,
  request: FileRequest,
  call: GrpcCall,
  files: Map<number, string>,
): Promise<void> {
  let id = 0;
  let batch: Buffer[] = [];
  try {
    for (const { path, stat } of walk(root, new FileSelection(root, request))) {
      files.set(id++, path);
      batch.push(packetMessage.encode({ type: packetType.stat, stat }));
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

/** Depth first, names in the order of their bytes, which is the protocol's. */
function* walk(root: string, selection: FileSelection): Generator<{ path: string; stat: Stat }> {
  const linked = new Map<string, string>();
  // Directories on the way to something, told when there is something.
  const pending: { path: string; stat: Stat }[] = [];
  function* below(directory: string): Generator<{ path: string; stat: Stat }> {
    const names = readdirSync(directory === '' ? root : `${root}/${directory}`, { encoding: 'buffer' });
    for (const name of names.sort(Buffer.compare)) {
      const path = directory === '' ? name.toString() : `${directory}/${name}`;
      const stat = lstatSync(`${root}/${path}`, { bigint: true, throwIfNoEntry: false });
      // It has gone meanwhile, or is a socket, which nothing can be made of.
      if (stat === undefined || stat.isSocket()) continue;
      const { wanted, enter } = selection.choose(path, stat.isDirectory());
      if (wanted) {
        yield* pending.splice(0);
        yield { path, stat: statOf(root, path, stat, linked) };
      }
      if (!enter) continue;
      const self = { path, stat: statOf(root, path, stat, linked) };
      if (!wanted) pending.push(self);
      yield* below(path);
      const at = pending.indexOf(self);
      if (at >= 0) pending.splice(at);
    }
  }
  yield* below('');
}

/** Owners are left out: a context's files are root's. */
function statOf(root: string, path: string, stat: BigIntStats, linked: Map<string, string>): Stat {
  const mode = Number(stat.mode);
  const base: Stat = { path, mode: goMode(stat), modTime: stat.mtimeNs };
  if (stat.isSymbolicLink()) return { ...base, linkname: readlinkSync(`${root}/${path}`) };
  if (stat.isBlockDevice() || stat.isCharacterDevice()) {
    const device = Number(stat.rdev);
    return {
      ...base,
      devmajor: (device >> 8) & 0xfff,
      devminor: (device & 0xff) | ((device >> 12) & 0xfff00),
    };
  }
  if ((mode & 0o170000) !== 0o100000) return base;
  const inode = `${stat.dev}:${stat.ino}`;
  const first = stat.nlink > 1n ? linked.get(inode) : undefined;
  if (first !== undefined) return { ...base, linkname: first };
  if (stat.nlink > 1n) linked.set(inode, path);
  return { ...base, size: Number(stat.size) };
}

/** As Go's os.FileMode. */
function goMode(stat: BigIntStats): number {
  const mode = Number(stat.mode);
  let bits = mode & 0o777;
  if ((mode & 0o4000) !== 0) bits += goFileMode.setuid;
  if ((mode & 0o2000) !== 0) bits += goFileMode.setgid;
  if ((mode & 0o1000) !== 0) bits += goFileMode.sticky;
  if (stat.isDirectory()) bits += goFileMode.directory;
  else if (stat.isSymbolicLink()) bits += goFileMode.symlink;
  else if (stat.isFIFO()) bits += goFileMode.namedPipe;
  else if (stat.isCharacterDevice()) bits += goFileMode.device + goFileMode.characterDevice;
  else if (stat.isBlockDevice()) bits += goFileMode.device;
  return bits;
}
