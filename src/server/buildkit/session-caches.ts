import { createHash } from 'node:crypto';
import type { CacheEndpoint } from '../../build/request.ts';
import type { CachePlace } from '../../build/transfer/place.ts';
import type { Digest } from '../../oci/digest.ts';
import { EngineError } from '../../stdx/errors.ts';
import { SessionContent } from './session-content.ts';
import type { BuildSession } from './sessions.ts';

/** Of the answer to Solve: the cache's manifest, which the client notes in its directory's index. */
const manifestAnswer = 'cache.manifest';

/** A manifest that says nothing of its type is one of these. */
const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const manifestLimitBytes = 16 * 1024 * 1024;

/** The caches of a build that are directories of its client: what is in them goes by the session. */
export class SessionCaches {
  readonly #session: BuildSession;
  /** What the client is to be told. */
  readonly answer: Record<string, string> = {};

  constructor(session: BuildSession) {
    this.#session = session;
  }

  /** `type=local,src=...,digest=...`: which manifest the client's index has for the tag, the client knows. */
  source(endpoint: CacheEndpoint): CacheEndpoint {
    if (endpoint.type !== 'local') return endpoint;
    const { src = '', digest = '' } = endpoint.attributes;
    if (digest === '') throw new EngineError('invalid', 'local cache importer requires explicit digest');
    if (src === '') throw new EngineError('invalid', 'local cache importer requires src');
    return { ...endpoint, place: this.#place(src, digest as Digest) };
  }

  /** `type=local,dest=...` */
  destination(endpoint: CacheEndpoint): CacheEndpoint {
    if (endpoint.type !== 'local') return endpoint;
    const { dest = '' } = endpoint.attributes;
    if (dest === '') throw new EngineError('invalid', 'local cache exporter requires dest');
    return { ...endpoint, place: this.#place(dest) };
  }

  #place(directory: string, shown?: Digest): CachePlace {
    const content = new SessionContent(this.#session, `local:${directory}`);
    const manifestOf = async (digest: Digest, signal: AbortSignal) => {
      const bytes = await wholeOf(content.read(digest, signal));
      if (digestOf(bytes) !== digest)
        throw new EngineError('corrupt', `the content of ${digest} has another digest`);
      const { mediaType = ociManifest } = JSON.parse(bytes.toString('utf8')) as { mediaType?: string };
      return { bytes, mediaType };
    };
    return {
      name: directory,
      manifestOf,
      manifest: async signal => (shown === undefined ? undefined : manifestOf(shown, signal)),
      read: async (digest, signal) => content.read(digest, signal),
      has: async (digest, signal) => (await content.sizeOf(digest, signal)) !== undefined,
      write: (blob, signal) => content.write(blob, signal),
      putManifest: async (mediaType, bytes, signal) => {
        const digest = digestOf(bytes);
        await content.write({ digest, sizeBytes: bytes.length, open: () => once(bytes) }, signal);
        this.answer[manifestAnswer] = JSON.stringify({ mediaType, digest, size: bytes.length });
      },
    };
  }
}

function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function wholeOf(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const kept: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > manifestLimitBytes) throw new EngineError('invalid', 'its manifest is too large');
    kept.push(chunk);
  }
  return Buffer.concat(kept);
}
