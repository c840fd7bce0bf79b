import { fileSendService, goFileMode, packetType } from '../../api/buildkit/filesync.ts';
import type { GrpcExchange } from '../../api/grpc/client.ts';
import type { ExportedTree } from '../../build/export/export.ts';
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
export async function sendTree({ root, timeMs }: ExportedTree, exchange: GrpcExchange): Promise<number> {
  const { request, response } = fileSendService.directory;
  const send = (packet: Parameters<typeof request.encode>[0]) => exchange.send(request.encode(packet));
  const entries = (await root.list('/', { recursive: true })).filter(({ type }) => type in modeOfType);
  let sentBytes = 0;
  const sendFile = async (id: number) => {
    const entry = entries[id];
    if (entry?.type !== 'file') throw new EngineError('invalid', `invalid file request ${id}`);
    for await (const chunk of root.readChunks(`/${entry.path}`)) {
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        await send({ type: packetType.data, id, data: chunk.subarray(at, at + pieceBytes) });
      }
      sentBytes += chunk.length;
    }
    await send({ type: packetType.data, id });
  };
  const listing = (async () => {
    for (const entry of entries) await send({ type: packetType.stat, stat: statOf(entry, timeMs) });
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

const modeOfType: Record<string, number> = {
  file: 0,
  directory: goFileMode.directory,
  symlink: goFileMode.symlink,
};

function statOf(entry: ListEntry, timeMs: number | undefined) {
  const { path, type, permissions, uid, gid, size, mtimeMs, linkTarget } = entry;
  const mode =
    modeOfType[type]! +
    ((permissions & 0o4000) === 0 ? 0 : goFileMode.setuid) +
    ((permissions & 0o2000) === 0 ? 0 : goFileMode.setgid) +
    ((permissions & 0o1000) === 0 ? 0 : goFileMode.sticky) +
    (permissions & 0o777);
  return {
    path,
    mode,
    uid,
    gid,
    size: type === 'file' ? size : 0,
    modTime: BigInt(Math.round((timeMs ?? mtimeMs) * 1000)) * 1000n,
    linkname: type === 'symlink' ? linkTarget : '',
  };
}
