import { pipeline } from 'node:stream/promises';
import { createCompressor } from '../../archive/compression.ts';
import type { Lease } from '../../images/leases.ts';
import { packLayer } from '../../images/pack.ts';
import type { ImageServices } from '../../images/services.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import type { Descriptor } from '../../oci/image.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import type { Layer } from '../../storage/layers.ts';
import type { BuildTask } from '../events.ts';
import type { CacheMounts } from '../steps/cache-mounts.ts';
import { type CacheConfig, cacheConfigType, type ExportedStep, writeManifest } from './cache-config.ts';
import type { CachePlace } from './place.ts';

/** A step on files that a build relied on, made or found. */
export interface MadeStep {
  key: Digest;
  createdMs: number;
  description: string;
  layer?: Layer;
  /** Index of its stage. */
  stage: number;
}

export interface ExportContext {
  services: Pick<ImageServices, 'storage' | 'packing'>;
  cacheMounts: CacheMounts;
  lease: Lease;
  task: BuildTask;
  signal: AbortSignal;
}

/** Writes what was made to a place: blobs first, the manifest that names them last. */
export async function exportCache(
  place: CachePlace,
  steps: readonly MadeStep[],
  mountIds: readonly string[],
  context: ExportContext,
): Promise<void> {
  const { lease, task, signal } = context;
  const { storage } = context.services;
  const layers: Descriptor[] = [];
  const config: CacheConfig = { version: 1, diffIds: [], steps: [], mounts: [] };
  const send = async (blob: Descriptor, diffId: Digest): Promise<number> => {
    const known = layers.findIndex(one => one.digest === blob.digest);
    if (known >= 0) return known;
    lease.holdBlob(blob.digest);
    await told(task, `writing layer ${blob.digest}`, () => writeBlob(place, blob, context));
    config.diffIds.push(diffId);
    return layers.push(blob) - 1;
  };
  for (const { key, createdMs, description, layer } of steps) {
    signal.throwIfAborted();
    const index = layer === undefined ? null : await send(await packed(layer, context), layer.diffId);
    config.steps.push({ key, createdMs, description, layer: index });
  }
  for (const id of mountIds) {
    const mount = await context.cacheMounts.read(id, directory => packMount(directory, context));
    if (mount === undefined) continue;
    const { blob, ...owner } = mount;
    config.mounts.push({ id, layer: await send(blob, blob.digest), ...owner });
  }
  const bytes = Buffer.from(JSON.stringify(config));
  const configBlob = await storage.blobs.write(bytes, lease.owner);
  await told(task, `writing config ${configBlob.digest}`, () =>
    writeBlob(place, { mediaType: cacheConfigType, ...configBlob }, context),
  );
  const manifest = Buffer.from(JSON.stringify(writeManifest(config, configBlob, layers)));
  await told(task, `writing cache image manifest ${digestOf(manifest)}`, () =>
    place.putManifest(mediaTypes.ociManifest, manifest, signal),
  );
}

async function told(task: BuildTask, what: string, work: () => Promise<void>): Promise<void> {
  task.status(what);
  await work();
  task.status(what, { done: true });
}

/** What an image says of the steps its own layers were made by. */
export function inlineSteps(steps: readonly MadeStep[], layers: readonly Layer[]): ExportedStep[] {
  return steps.flatMap(({ key, createdMs, description, layer }) => {
    const index = layer === undefined ? null : layers.findIndex(one => one.diffId === layer.diffId);
    return index !== null && index < 0 ? [] : [{ key, createdMs, description, layer: index }];
  });
}

async function packed(layer: Layer, { services, lease, signal }: ExportContext): Promise<Descriptor> {
  const { blob } = await packLayer(services, layer, lease.owner, {
    onProgress: () => {},
    onPacked: async () => {},
    signal,
  });
  const { digest, size, mediaType } = blob;
  return {
    mediaType: /zstd$/.test(mediaType) ? mediaTypes.ociLayerZstd : mediaTypes.ociLayerGzip,
    digest,
    size,
  };
}

async function writeBlob(
  place: CachePlace,
  { digest, size }: Descriptor,
  { services, signal }: ExportContext,
): Promise<void> {
  if (await place.has(digest, signal)) return;
  const open = () => services.storage.blobs.stream(digest);
  await place.write({ digest, sizeBytes: size, open }, signal);
}

/** What stands in a cache mount, as a tar; steps may go on writing to it, as they may to any shared cache. */
async function packMount(directory: string, { services, lease, signal }: ExportContext) {
  const { storage } = services;
  const root = await storage.confine(directory);
  const ingest = await storage.blobs.ingest({});
  try {
    const top = await root.stat('/');
    await pipeline(
      root.readTar('/', { rename: '' }),
      createCompressor('gzip', 1),
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) await ingest.write(chunk);
      },
      { signal },
    );
    const { digest, size } = await ingest.commit();
    lease.holdBlob(digest);
    const blob: Descriptor = { mediaType: mediaTypes.ociLayerGzip, digest, size };
    const { permissions = 0o755, uid = 0, gid = 0 } = top ?? {};
    return { blob, permissions, uid, gid };
  } catch (error) {
    await ingest.abort({ keep: false });
    throw error;
  } finally {
    await root.close();
  }
}
