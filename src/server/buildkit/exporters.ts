import type { Readable } from 'node:stream';
import { bytesMessage, type exporterMessage } from '../../api/buildkit/control.ts';
import { exporterIdHeader, fileSendService } from '../../api/buildkit/filesync.ts';
import type { MessageOf } from '../../api/protobuf.ts';
import type { BuildExport } from '../../build/export/export.ts';
import type { Blob } from '../../build/export/manifests.ts';
import { EngineError } from '../../stdx/errors.ts';
import { sendTree } from './send-files.ts';
import { SessionContent } from './session-content.ts';
import type { BuildSession } from './sessions.ts';
import type { Vertices } from './vertices.ts';

export type Exporter = MessageOf<typeof exporterMessage>;

interface Destination {
  session: BuildSession;
  vertices: Vertices;
  signal: AbortSignal;
}

/** gRPC's own limit for a message is 4 MiB on the side of clients. */
const pieceBytes = 1024 * 1024;

/** Where the client wants a result, as the builder takes it: what goes to the client goes by its session. */
export function exportsTo(exporters: readonly Exporter[], destination: Destination): BuildExport[] {
  return exporters.map(({ type, attributes: given }, index): BuildExport => {
    const attributes = Object.fromEntries(given);
    const { vertices, session, signal } = destination;
    switch (type) {
      case 'image':
      case 'moby':
        return { type, attributes };
      case 'oci':
      case 'docker':
      case 'tar': {
        const title = type === 'tar' ? 'exporting to client tarball' : `exporting to ${type} image format`;
        const { tar = '', ...others } = attributes;
        if (type !== 'tar' && /^(0|f|false)$/i.test(tar)) {
          const writeBlobs = (blobs: readonly Blob[]) =>
            vertices.task(title, () => sendBlobs(blobs, new SessionContent(session, exportStore), signal));
          return { type, attributes: others, writeBlobs };
        }
        const write = (archive: Readable) =>
          vertices.task(title, async task => {
            task.status('sending tarball');
            const current = await sendArchive(archive, index, session, signal);
            task.status('sending tarball', { current, done: true });
          });
        return { type, attributes, write };
      }
      case 'local':
        return {
          type,
          attributes,
          write: tree =>
            vertices.task('exporting to client directory', async task => {
              const status = ['copying files', tree.folder?.replaceAll('_', '/')].join(' ').trim();
              task.status(status);
              const exchange = callExporter(fileSendService.directory.path, index, session, signal);
              const current = await sendTree(tree, exchange);
              task.status(status, { current, done: true });
            }),
        };
      default:
        throw new EngineError('notImplemented', `exporter ${JSON.stringify(type)} is not supported`);
    }
  });
}

/** By this name clients offer the directory that an image is to be in, whose index they write themselves. */
const exportStore = 'export';

async function sendBlobs(blobs: readonly Blob[], store: SessionContent, signal: AbortSignal): Promise<void> {
  for (const { digest, size, content } of blobs) {
    const open = async function* () {
      for await (const chunk of content()) yield Buffer.from(chunk);
    };
    await store.write({ digest, sizeBytes: size, open }, signal);
  }
}

async function sendArchive(
  archive: Readable,
  index: number,
  session: BuildSession,
  signal: AbortSignal,
): Promise<number> {
  const exchange = callExporter(fileSendService.file.path, index, session, signal);
  let sentBytes = 0;
  const sending = (async () => {
    for await (const chunk of archive as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        await exchange.send(bytesMessage.encode({ data: chunk.subarray(at, at + pieceBytes) }));
      }
      sentBytes += chunk.length;
    }
    exchange.end();
  })();
  sending.catch(() => exchange.cancel());
  // The client's refusal comes as the end of its answers, and is the reason why sending failed.
  for await (const _ of exchange.messages);
  await sending;
  return sentBytes;
}

function callExporter(path: string, index: number, session: BuildSession, signal: AbortSignal) {
  return session.connection.call(path, { metadata: new Map([[exporterIdHeader, [String(index)]]]), signal });
}
