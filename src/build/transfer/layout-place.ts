import { randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Digest, digestOf, isDigest } from '../../oci/digest.ts';
import type { Descriptor, Index } from '../../oci/image.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import { EngineError, errnoOf } from '../../stdx/errors.ts';
import type { CachePlace } from './place.ts';

const tagAnnotation = 'org.opencontainers.image.ref.name';

/**
 * An OCI image layout (image-spec, image-layout.md):
 *
 *     <directory>/oci-layout              {"imageLayoutVersion": "1.0.0"}
 *     <directory>/index.json              the manifest of each tag
 *     <directory>/blobs/sha256/<hex>
 */
export function layoutPlace(directory: string, tag = 'latest'): CachePlace {
  const blobPath = (digest: Digest): string => {
    if (!isDigest(digest)) throw new EngineError('invalid', `invalid digest ${digest}`);
    return join(directory, 'blobs', ...digest.split(':'));
  };
  const manifestOf = async (digest: Digest) => {
    const bytes = await readFile(blobPath(digest));
    const { mediaType = mediaTypes.ociManifest } = JSON.parse(bytes.toString('utf8')) as {
      mediaType?: string;
    };
    return { bytes, mediaType };
  };
  return {
    name: directory,
    manifestOf,
    async manifest() {
      const found = (await readIndex(directory)).find(one => one.annotations?.[tagAnnotation] === tag);
      return found === undefined ? undefined : manifestOf(found.digest);
    },
    async read(digest): Promise<Readable> {
      const path = blobPath(digest);
      if (!existsSync(path)) throw new EngineError('notFound', `${directory} has no blob ${digest}`);
      return createReadStream(path, { highWaterMark: 256 * 1024 });
    },
    async has(digest) {
      return existsSync(blobPath(digest));
    },
    write: ({ digest, open: source }, signal) => writeAside(blobPath(digest), source(), signal),
    async putManifest(mediaType, bytes) {
      const digest = digestOf(bytes);
      await writeAside(blobPath(digest), [bytes]);
      await writeAside(join(directory, 'oci-layout'), [Buffer.from('{"imageLayoutVersion":"1.0.0"}')]);
      const others = (await readIndex(directory)).filter(one => one.annotations?.[tagAnnotation] !== tag);
      const own: Descriptor = {
        mediaType,
        digest,
        size: bytes.length,
        annotations: { [tagAnnotation]: tag },
      };
      const index: Index = {
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [...others, own],
      };
      await writeAside(join(directory, 'index.json'), [Buffer.from(JSON.stringify(index))]);
    },
  };
}

async function readIndex(directory: string): Promise<Descriptor[]> {
  try {
    const index = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8')) as Partial<Index>;
    return index.manifests ?? [];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Whole and durable, or not at all. */
async function writeAside(
  path: string,
  content: Readable | Iterable<Buffer>,
  signal?: AbortSignal,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const aside = `${path}.${randomUUID()}`;
  try {
    await pipeline(content, (chunks: AsyncIterable<Buffer>) => writeFile(aside, chunks), { signal });
    const file = await open(aside, 'r');
    await file.sync().finally(() => file.close());
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
