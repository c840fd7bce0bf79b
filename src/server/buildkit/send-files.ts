import { posix } from 'node:path';
import { fileSendService, goFileMode, packetType } from '../../api/buildkit/filesync.ts';
import type { GrpcExchange } from '../../api/grpc/client.ts';
import type { ExportedTree } from '../../build/export/trees.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { ListEntry } from '../../storage/confined.ts';

/** As BuildKit's clients read files of a context: so many at once. */
const filesAtOnce = 4;
const pieceBytes = 32 * 1024;

/**
 * Sends a tree to a client that asks for the contents it wants. Devices are left out: nobody but root could make them
 * on the other side.
 * @returns bytes of content sent
 */
export async function sendTree(tree: ExportedTree, exchange: GrpcExchange): Promise<number> {
  const { root, folder, timeMs } = tree;
  const { request, response } = fileSendService.directory;
  const send = (packet: Parameters<typeof request.encode>[0]) => exchange.send(request.encode(packet));
  const entries = await entriesOf(tree);
  let sentBytes = 0;
  const sendFile = async (id: number) => {
    const entry = entries[id];
    if (entry?.type !== 'file') throw new EngineError('invalid', `invalid file request ${id}`);
    for await (const chunk of entry.content ?? root.readChunks(`/${entry.path}`)) {
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        await send({ type: packetType.data, id, data: chunk.subarray(at, at + pieceBytes) });
      }
      sentBytes += chunk.length;
    }
    await send({ type: packetType.data, id });
  };
  const listing = (async () => {
    for (const entry of entries) await send({ type: packetType.stat, stat: statOf(entry, folder, timeMs) });
    await send({ type: packetType.stat });
  })();
  listing.catch(() => exchange.cancel());
  const wanted: number[] = [];
  const senders = new Set<Promise<void>>();
  const work = () => {
    while (senders.size < filesAtOnce && wanted.length > 0) {
      const sender = sendFile(wanted.shift()!).finally(() => {
        senders.delete(sender);
        work();
      });
      sender.catch(() => exchange.cancel());
      senders.add(sender);
    }
  };
  for await (const message of exchange.messages) {
    const packet = response.decode(message);
    if (packet.type === packetType.request) {
      wanted.push(packet.id);
      work();
    } else if (packet.type === packetType.error) {
      throw new EngineError('invalid', `error from receiver: ${packet.data.toString('utf8')}`);
    } else if (packet.type === packetType.fin) {
      await send({ type: packetType.fin });
      exchange.end();
    }
  }
  await listing;
  await Promise.all(senders);
  return sentBytes;
}

type SentEntry = ListEntry & { content?: readonly Buffer[] };

/** In the order that clients want them in: a directory before what is in it, names by their bytes. */
async function entriesOf({ root, folder, extras }: ExportedTree): Promise<SentEntry[]> {
  const made = { uid: 0, gid: 0, mtimeMs: Math.floor(Date.now() / 1000) * 1000, linkTarget: '' };
  const names = new Set(extras.map(({ name }) => name));
  const entries: SentEntry[] = (await root.list('/', { recursive: true })).filter(
    ({ type, path }) => type in modeOfType && !names.has(path),
  );
  for (const { name, content } of extras) {
    const at = entries.findIndex(({ path }) => compare(path.split('/')[0]!, name) > 0);
    const file: SentEntry = {
      ...made,
      path: name,
      type: 'file',
      size: content.length,
      permissions: 0o600,
      content: [content],
    };
    entries.splice(at < 0 ? entries.length : at, 0, file);
  }
  if (folder !== undefined)
    entries.unshift({ ...made, path: '', type: 'directory', size: 0, permissions: 0o755 });
  return entries;
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const modeOfType: Record<string, number> = {
  file: 0,
  directory: goFileMode.directory,
  symlink: goFileMode.symlink,
};

function statOf(entry: ListEntry, folder: string | undefined, timeMs: number | undefined) {
  const { path, type, permissions, uid, gid, size, mtimeMs, linkTarget } = entry;
  const mode =
    modeOfType[type]! +
    ((permissions & 0o4000) === 0 ? 0 : goFileMode.setuid) +
    ((permissions & 0o2000) === 0 ? 0 : goFileMode.setgid) +
    ((permissions & 0o1000) === 0 ? 0 : goFileMode.sticky) +
    (permissions & 0o777);
  return {
    path: folder === undefined ? path : posix.join(folder, path),
    mode,
    uid,
    gid,
    size: type === 'file' ? size : 0,
    modTime: BigInt(Math.round((timeMs ?? mtimeMs) * 1000)) * 1000n,
    linkname: type === 'symlink' ? linkTarget : '',
  };
}
