import type { ImageStore } from '../../images/store.ts';
import { chainIdOf, type Digest, digestOf } from '../../oci/digest.ts';
import type { Descriptor, Index, Manifest } from '../../oci/image.ts';
import { isIndex } from '../../oci/media-types.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import type { Layer } from '../../storage/layers.ts';
import type { Storage } from '../../storage/storage.ts';
import { type BuildCache, type CachedStep, cacheOwner } from '../cache.ts';
import type { CacheEndpoint } from '../request.ts';
import type { CacheMounts } from '../steps/cache-mounts.ts';
import { type ExportedMount, inlineMember, type Offer, type OfferedStep, readOffer } from './cache-config.ts';
import { imagePlace } from './image-place.ts';
import type { CachePlace } from './place.ts';

export interface ImportContext {
  storage: Storage;
  images: ImageStore;
  cache: BuildCache;
  cacheMounts: CacheMounts;
  /** The place an endpoint means. */
  open(endpoint: CacheEndpoint): Promise<CachePlace>;
  /** A source that cannot be used costs its hits and nothing else. */
  warn(text: string): void;
  /** Tells what is being asked. */
  task<T>(name: string, work: () => Promise<T>): Promise<T>;
  signal: AbortSignal;
}

const configLimitBytes = 64 << 20;

/** Results of steps that others have made, by key; fetched when a build comes to need them. */
export class ImportedSteps {
  readonly #context: ImportContext;
  readonly #steps = new Map<Digest, { step: OfferedStep; place: CachePlace }>();

  /** Asks all sources what they have. */
  static async open(endpoints: readonly CacheEndpoint[], context: ImportContext): Promise<ImportedSteps> {
    const imported = new ImportedSteps(context);
    // Asked at once; the first that has a step is the one it comes from.
    const found = await Promise.all(endpoints.map(endpoint => imported.#ask(endpoint)));
    for (const source of found) {
      for (const step of source?.offer.steps ?? [])
        if (!imported.#steps.has(step.key)) imported.#steps.set(step.key, { step, place: source!.place });
    }
    return imported;
  }

  private constructor(context: ImportContext) {
    this.#context = context;
  }

  offers(key: Digest): boolean {
    return this.#steps.has(key);
  }

  /** Where a step comes from. */
  nameOf(key: Digest): string | undefined {
    return this.#steps.get(key)?.place.name;
  }

  /**
   * Makes an offered step one of our own: its layer is fetched, verified and put on the parent.
   * @returns undefined when nobody offers it, or what is offered is not to be had or not what it says.
   */
  async take(key: Digest, parent: Digest | undefined, signal: AbortSignal): Promise<CachedStep | undefined> {
    const offered = this.#steps.get(key);
    if (offered === undefined) return undefined;
    const { cache } = this.#context;
    const { step, place } = offered;
    cache.begin(key, { parent, description: step.description });
    try {
      const layer = step.layer && (await this.#layer(step.layer, parent, place, cacheOwner(key), signal));
      return cache.finish(key, layer, step.createdMs);
    } catch (error) {
      cache.abandon(key);
      signal.throwIfAborted();
      this.#steps.delete(key);
      this.#context.warn(`a cached step of ${place.name} cannot be used: ${messageOf(error)}`);
      return undefined;
    }
  }

  async #layer(
    { blob, diffId }: { blob: Descriptor; diffId: Digest },
    parent: Digest | undefined,
    place: CachePlace,
    owner: string,
    signal: AbortSignal,
  ): Promise<Layer> {
    const { layers, blobs } = this.#context.storage;
    const here = layers.get(chainIdOf(parent, diffId));
    if (here !== undefined) {
      layers.reference(owner, here.chainId);
      return here;
    }
    const release = blobs.hold(blob.digest);
    try {
      await fetchBlob(this.#context.storage, place, blob, signal);
      const source = { blob: blob.digest, mediaType: blob.mediaType };
      return await layers.apply({ parent, diffId, source, owner, signal });
    } finally {
      release();
    }
  }

  async #ask(endpoint: CacheEndpoint): Promise<{ place: CachePlace; offer: Offer } | undefined> {
    const { signal, warn } = this.#context;
    try {
      const place = this.#localImage(endpoint) ?? (await this.#context.open(endpoint));
      const offer = await this.#context.task(`importing cache manifest from ${place.name}`, () =>
        readOfferOf(place, signal),
      );
      if (offer.steps.length === 0) warn(`${place.name} says nothing of how it was built`);
      if (endpoint.attributes['mounts'] === 'true') await this.#fillMounts(place, offer);
      return { place, offer };
    } catch (error) {
      signal.throwIfAborted();
      const name = endpoint.attributes['ref'] ?? endpoint.attributes['src'] ?? endpoint.type;
      warn(`the cache ${name} cannot be used: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** As with docker's classic builder an image that is here need not be fetched to be a source. */
  #localImage(endpoint: CacheEndpoint): CachePlace | undefined {
    const { images, storage } = this.#context;
    const name = endpoint.type === 'registry' ? endpoint.attributes['ref'] : undefined;
    const image = name === undefined ? undefined : images.find(name);
    if (image === undefined || !(inlineMember in image.config)) return undefined;
    return imagePlace(name!, image, images, storage);
  }

  /** Cache mounts that are here already are left as they are. */
  async #fillMounts(place: CachePlace, offer: Offer): Promise<void> {
    const { cacheMounts, storage, signal } = this.#context;
    const known = new Set((await cacheMounts.list()).map(({ id }) => id));
    for (const { mount, blob } of offer.mounts) {
      if (known.has(mount.id)) continue;
      const release = storage.blobs.hold(blob.digest);
      try {
        await fetchBlob(storage, place, blob, signal);
        await cacheMounts.use(
          { ...mountOf(mount), fill: directory => this.#unpack(directory, blob) },
          async () => {},
        );
      } finally {
        release();
      }
    }
  }

  async #unpack(directory: string, blob: Descriptor): Promise<void> {
    const { storage, signal } = this.#context;
    const root = await storage.confine(directory);
    try {
      await root.unpackTar('/', storage.blobs.stream(blob.digest), { allowDevices: false, signal });
    } finally {
      await root.close();
    }
  }
}

function mountOf({ id, permissions, uid, gid }: ExportedMount) {
  return { id, sharing: 'shared' as const, permissions, uid, gid };
}

async function readOfferOf(place: CachePlace, signal: AbortSignal): Promise<Offer> {
  let found = await place.manifest(signal);
  if (found === undefined) throw new EngineError('notFound', 'there is none');
  if (isIndex(found.mediaType)) {
    const index = JSON.parse(found.bytes.toString('utf8')) as Index;
    const own = index.manifests.find(one => one.platform?.os !== 'unknown');
    if (own === undefined) throw new EngineError('notFound', 'its index is empty');
    found = await place.manifestOf(own.digest, signal);
    if (digestOf(found.bytes) !== own.digest) throw corrupt(own.digest);
  }
  const manifest = JSON.parse(found.bytes.toString('utf8')) as Manifest;
  const { digest } = manifest.config;
  const bytes = await readAll(await place.read(digest, signal));
  if (digestOf(bytes) !== digest) throw corrupt(digest);
  return readOffer(manifest, JSON.parse(bytes.toString('utf8')));
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > configLimitBytes) throw new EngineError('invalid', 'its configuration is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The caller holds the digest. @throws EngineError `corrupt` for other bytes than those announced */
async function fetchBlob(
  { blobs }: Storage,
  place: CachePlace,
  blob: Descriptor,
  signal: AbortSignal,
): Promise<void> {
  if (blobs.has(blob.digest)) return;
  const size = blob.size > 0 ? { size: blob.size } : {};
  const ingest = await blobs.ingest({
    digest: blob.digest,
    ...size,
    key: `build-cache:${crypto.randomUUID()}`,
  });
  try {
    for await (const chunk of await place.read(blob.digest, signal)) {
      signal.throwIfAborted();
      await ingest.write(chunk as Buffer);
    }
    await ingest.commit();
  } catch (error) {
    await ingest.abort({ keep: false });
    throw error;
  }
}

function corrupt(digest: Digest): EngineError {
  return new EngineError('corrupt', `the content of ${digest} has another digest`);
}
