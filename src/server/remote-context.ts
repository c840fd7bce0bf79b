import { PassThrough, type Readable } from 'node:stream';
import { singleFileTar } from './single-file-tar.ts';

/** As moby tells repositories from other URLs (builder/remotecontext/urlutil). */
export function isRepositoryUrl(url: string): boolean {
  return /^(git@|git:\/\/|ssh:\/\/|github\.com\/)|^https?:\/\/[^?#]*\.git([?#].*)?$/.test(url);
}

/**
 * A build context that came from a URL, which is a tar or a lone Dockerfile (moby, builder/remotecontext/remote.go decides by the
 * content type; the first bytes are surer).
 */
export async function openRemoteContext(body: Readable): Promise<{ tar: Readable; isDockerfile: boolean }> {
  const { first, rest } = await peek(body);
  if (!isText(first)) return { tar: rest, isDockerfile: false };
  const chunks: Buffer[] = [];
  for await (const chunk of rest) chunks.push(chunk as Buffer);
  return { tar: singleFileTar('Dockerfile', Buffer.concat(chunks)), isDockerfile: true };
}

/** A tar header and every compression's magic have bytes no Dockerfile has. */
function isText(bytes: Buffer): boolean {
  return !bytes.includes(0) && bytes.toString('utf8').indexOf('\uFFFD') < 0;
}

async function peek(body: Readable): Promise<{ first: Buffer; rest: Readable }> {
  const iterator = body[Symbol.asyncIterator]();
  const { value, done } = await iterator.next();
  const first = done === true ? Buffer.alloc(0) : Buffer.from(value as Uint8Array);
  const rest = new PassThrough();
  void (async () => {
    try {
      rest.write(first);
      for await (const chunk of { [Symbol.asyncIterator]: () => iterator }) {
        if (!rest.write(chunk)) await new Promise(resolve => rest.once('drain', resolve));
      }
      rest.end();
    } catch (error) {
      rest.destroy(error as Error);
    }
  })();
  return { first, rest };
}
