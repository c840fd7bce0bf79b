import type { Credentials } from '../distribution/auth.ts';
import { canonicalName, familiarText, parseReference, type Reference } from '../distribution/reference.ts';
import type { Repository } from '../distribution/repository.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { Descriptor, Manifest } from '../oci/image.ts';
import { isForeignLayer, mediaTypes } from '../oci/media-types.ts';
import { EngineError } from '../stdx/errors.ts';
import { Semaphore } from '../stdx/limits.ts';
import type { Layer, LayerBlob } from '../storage/layers.ts';
import { type KeptManifest, keptIndex, keptManifest } from './kept-manifests.ts';
import type { Lease } from './leases.ts';
import { parseManifest } from './manifest.ts';
import { type OtherManifest, otherThanOwn } from './other-platforms.ts';
import { isPacked, packLayer } from './pack.ts';
import { type Progress, progressBar, shortId } from './progress.ts';
import type { ImageServices } from './services.ts';
import type { Image } from './store.ts';
import { StreamedUpload } from './streamed-upload.ts';
import type { ManifestRow } from './tables.ts';

export interface PushOptions {
  allTags?: boolean;
  /** Of an image that is kept with an index, the manifest for that platform alone is sent. `linux/amd64` */
  platform?: string;
  credentials?: Credentials;
}

/** How often a layer is offered anew when the connection breaks. */
const uploadAttempts = 5;

/**
 * Sends an image, or without a tag all of a repository's, and reports in Docker's words. An image that came from a
 * registry goes out with the manifest it came with, byte for byte; one made here gets a schema 2 manifest.
 *
 * @returns what the registry has under the tag, or under the last one, now.
 * @throws EngineError in dockerd's words.
 */
export async function pushImage(
  services: ImageServices,
  text: string,
  options: PushOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<Descriptor> {
  const reference = parseReference(text);
  if (reference.digest !== undefined) throw new EngineError('invalid', 'cannot push a digest reference');
  progress({ status: `The push refers to repository [${canonicalName(reference)}]` });
  const targets = targetsOf(services, reference, options.allTags === true);
  const [repository] = services.registries.repositories(reference, 'push', options.credentials);
  const lease = services.images.leases.take(`push:${crypto.randomUUID()}`);
  try {
    const push = new Push(services, repository!, {
      lease,
      progress,
      signal,
      alone: options.platform !== undefined,
    });
    let pushed: Descriptor | undefined;
    for (const { tag, image } of targets) {
      const named = { ...reference, tag };
      const other = await otherThanOwn(services, image, options.platform, familiarText(named));
      pushed = other === undefined ? await push.run(named, image) : await push.runOther(named, other);
    }
    return pushed!;
  } catch (error) {
    if (signal.aborted) throw new EngineError('cancelled', 'context canceled', { cause: error });
    throw error;
  } finally {
    await lease.release();
  }
}

function targetsOf(
  services: ImageServices,
  reference: Reference,
  allTags: boolean,
): { tag: string; image: Image }[] {
  const { images } = services;
  if (reference.tag !== undefined && !allTags) {
    const row = images.tagsOf(reference).find(({ tag }) => tag === reference.tag);
    if (row !== undefined) return [{ tag: row.tag, image: images.get(row.imageId)! }];
    if (images.tagsOf(reference).length > 0)
      throw new EngineError('notFound', `tag does not exist: ${familiarText(reference)}`);
  }
  const targets = images.tagsOf(reference).map(({ tag, imageId }) => ({ tag, image: images.get(imageId)! }));
  if (targets.length > 0) return targets;
  throw new EngineError(
    'notFound',
    `An image does not exist locally with the tag: ${familiarText({ ...reference, tag: undefined })}`,
  );
}

/** One push to one repository. */
class Push {
  readonly #services: ImageServices;
  readonly #repository: Repository;
  readonly #lease: Lease;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;
  /** Without the index it came in. */
  readonly #alone: boolean;

  constructor(
    services: ImageServices,
    repository: Repository,
    options: { lease: Lease; progress: Progress; signal: AbortSignal; alone: boolean },
  ) {
    this.#services = services;
    this.#repository = repository;
    this.#lease = options.lease;
    this.#progress = options.progress;
    this.#signal = options.signal;
    this.#alone = options.alone;
  }

  async run(reference: Reference & { tag: string }, image: Image): Promise<Descriptor> {
    const { images, storage } = this.#services;
    const chain = image.chainId === undefined ? [] : storage.layers.chain(image.chainId);
    if (image.chainId !== undefined) this.#lease.holdLayer(image.chainId);
    const kept = await this.#keptManifest(image, chain);
    const layers = await this.#pushLayers(chain, kept);
    const manifest = kept ?? this.#newManifest(image, layers);
    await this.#pushConfig(image);
    await this.#remember(image, manifest);
    const whole = kept === undefined || this.#alone ? undefined : await this.#pushIndexed(image, kept);
    const pushed = await this.#putTagged(reference.tag, whole ?? manifest);
    images.addDigest(image.id, reference, pushed.digest);
    return pushed;
  }

  /** What an image's index has for another platform, alone. */
  async runOther(reference: Reference & { tag: string }, other: OtherManifest): Promise<Descriptor> {
    const { config, layers } = other.manifest;
    const blobs = [...layers, config];
    for (const { digest } of blobs) this.#lease.holdBlob(digest);
    for (const { digest, size } of blobs) {
      const id = shortId(digest);
      const bar = progressBar(this.#progress, id, 'Pushing', size);
      this.#progress({ id, status: await this.#offer(digest, size, bar, this.#signal) });
    }
    return this.#putTagged(reference.tag, other);
  }

  async #putTagged(
    tag: string,
    { mediaType, bytes }: Pick<KeptManifest, 'mediaType' | 'bytes'>,
  ): Promise<Descriptor> {
    await this.#repository.putManifest(tag, mediaType, bytes, this.#signal);
    const digest = digestOf(bytes);
    const size = bytes.length;
    this.#progress({ status: `${tag}: digest: ${digest} size: ${size}` });
    this.#progress({ status: '', aux: { Tag: tag, Digest: digest, Size: size } });
    return { mediaType, digest, size };
  }

  /**
   * An image that was found in an index goes out in that index, if the registry can have all it lists.
   * @returns the index to be tagged; undefined: the manifest alone is.
   */
  async #pushIndexed(image: Image, kept: KeptManifest): Promise<KeptManifest | undefined> {
    const whole = await keptIndex(this.#services, image, kept.digest);
    if (whole === undefined) return undefined;
    for (const { digest } of whole.missing) {
      if ((await this.#repository.manifestDigest(digest, this.#signal)) !== undefined) continue;
      const [originalIndex, selectedManifest] = [whole, kept].map(({ mediaType, digest, bytes }) => {
        return { mediaType, digest, size: bytes.length };
      });
      this.#progress({
        status: '',
        aux: { manifestPushedInsteadOfIndex: true, originalIndex, selectedManifest },
      });
      return undefined;
    }
    const quiet = () => {};
    for (const { manifest, blobs } of whole.others) {
      for (const blob of blobs) await this.#offer(blob.digest, blob.size, quiet, this.#signal);
      await this.#repository.putManifest(manifest.digest, manifest.mediaType, manifest.bytes, this.#signal);
    }
    await this.#repository.putManifest(kept.digest, kept.mediaType, kept.bytes, this.#signal);
    return whole;
  }

  /** The manifest the image came with, or went out with before, if its layers are still there as it names them. */
  async #keptManifest(image: Image, chain: Layer[]) {
    const blobs = chain.flatMap(layer => layer.blob ?? []);
    return blobs.length === chain.length ? keptManifest(this.#services, image.id, blobs) : undefined;
  }

  /** Topmost first, as Docker lists them. @returns descriptors base first. */
  async #pushLayers(chain: Layer[], kept: KeptManifest | undefined): Promise<Descriptor[]> {
    const listed = kept === undefined ? [] : layersOf(kept).reverse();
    const downwards = [...chain].reverse();
    for (const layer of downwards) this.#progress({ id: shortId(layer.diffId), status: 'Preparing' });
    // One failed upload ends the others.
    const failed = new AbortController();
    const signal = AbortSignal.any([this.#signal, failed.signal]);
    const { concurrent } = this.#services.uploads;
    const slots = new Semaphore(concurrent);
    const uploads = downwards.map((layer, index) => {
      if (index >= concurrent) this.#progress({ id: shortId(layer.diffId), status: 'Waiting' });
      return slots.run(() => this.#pushLayer(layer, listed[index], signal));
    });
    try {
      return (await Promise.all(uploads)).reverse();
    } catch (error) {
      failed.abort();
      await Promise.allSettled(uploads);
      throw error;
    }
  }

  async #pushLayer(layer: Layer, kept: Descriptor | undefined, signal: AbortSignal): Promise<Descriptor> {
    signal.throwIfAborted();
    const id = shortId(layer.diffId);
    if (kept !== undefined && isForeignLayer(kept.mediaType) && (kept.urls ?? []).length > 0) {
      // Whoever pulls it has it from its owner, as the manifest says.
      this.#progress({ id, status: 'Skipped foreign layer' });
      return kept;
    }
    const bar = progressBar(this.#progress, id, 'Pushing', layer.sizeBytes);
    const present = layer.blob !== undefined && (kept !== undefined || isPacked(layer.blob));
    const known = present ? undefined : await this.#packedThere(layer, signal);
    if (known !== undefined) {
      this.#progress({ id, status: 'Layer already exists' });
      return known;
    }
    const { blob, sent } = present
      ? { blob: layer.blob!, sent: false }
      : await this.#pack(layer, bar, signal);
    this.#lease.holdBlob(blob.digest);
    const sending = progressBar(this.#progress, id, 'Pushing', blob.size);
    const outcome = sent ? 'Pushed' : await this.#offer(blob.digest, blob.size, sending, signal);
    const { tables } = this.#services.images;
    tables.putBlobRepository(blob.digest, this.#repository.registry, this.#repository.name, Date.now());
    this.#progress({ id, status: outcome });
    return { mediaType: blob.mediaType, size: blob.size, digest: blob.digest };
  }

  /** The layer was pushed from here before, and removed since; the registry may still have it. */
  async #packedThere(layer: Layer, signal: AbortSignal): Promise<Descriptor | undefined> {
    const known = this.#services.images.tables.packedLayer(layer.diffId);
    if (known === undefined) return undefined;
    const { mediaType, size, digest } = known;
    return (await this.#repository.blobSize(digest, signal)) === size
      ? { mediaType, size, digest }
      : undefined;
  }

  /** Compresses a layer, and sends it while that goes on: only at its end it is known what it is. */
  async #pack(
    layer: Layer,
    bar: (currentBytes: number) => void,
    signal: AbortSignal,
  ): Promise<{ blob: LayerBlob; sent: boolean }> {
    const sending = new StreamedUpload(this.#repository, signal);
    try {
      const { blob, fresh } = await packLayer(this.#services, layer, this.#lease.owner, {
        onProgress: bar,
        onPacked: chunk => sending.write(chunk),
        onEnd: () => sending.end(),
        signal,
      });
      this.#services.images.tables.putPackedLayer(layer.diffId, blob);
      return { blob, sent: fresh && (await sending.finish(blob.digest)) };
    } finally {
      const failure = await sending.cancel();
      if (failure !== undefined && !signal.aborted) {
        this.#services.log.debug({ error: String(failure) }, 'upload while packing was cut');
      }
    }
  }

  /** The cheapest way to have the registry hold a blob: it does already, it copies it, or it is sent. */
  async #offer(
    digest: Digest,
    sizeBytes: number,
    bar: (currentBytes: number) => void,
    signal: AbortSignal,
  ): Promise<string> {
    if ((await this.#repository.blobSize(digest, signal)) !== undefined) return 'Layer already exists';
    const { tables } = this.#services.images;
    const { registry, name } = this.#repository;
    let upload: URL | undefined;
    for (const from of tables.repositoriesWith(digest, registry)) {
      if (from === name) continue;
      upload = await this.#repository.mount(digest, from, signal);
      if (upload === undefined) return `Mounted from ${from}`;
      tables.deleteBlobRepository(digest, registry, from);
    }
    for (let attempt = 1; ; attempt++) {
      try {
        upload ??= await this.#repository.startUpload(signal);
        await this.#send(upload, digest, sizeBytes, bar, signal);
        return 'Pushed';
      } catch (error) {
        const again =
          error instanceof EngineError && error.kind === 'unavailable' && attempt < uploadAttempts;
        if (!again || signal.aborted) throw error;
        this.#services.log.debug({ digest, error: String(error), attempt }, 'upload cut, trying again');
        upload = undefined;
      }
    }
  }

  async #send(
    upload: URL,
    digest: Digest,
    sizeBytes: number,
    bar: (currentBytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const body = () => {
      const bytes = this.#services.storage.blobs.stream(digest);
      let sent = 0;
      bytes.on('data', (chunk: Buffer) => {
        sent += chunk.length;
        bar(sent);
      });
      return bytes.pause();
    };
    await this.#repository.finishUpload(upload, digest, { body, sizeBytes }, signal);
  }

  async #pushConfig(image: Image): Promise<void> {
    if ((await this.#repository.blobSize(image.id, this.#signal)) !== undefined) return;
    const bytes = this.#services.images.configBytes(image.id);
    const upload = await this.#repository.startUpload(this.#signal);
    const content = { body: bytes, sizeBytes: bytes.length };
    await this.#repository.finishUpload(upload, image.id, content, this.#signal);
  }

  /** Laid out as dockerd lays it out (schema2.FromStruct): the order of keys, three spaces. */
  #newManifest(image: Image, layers: Descriptor[]): Omit<KeptManifest, 'digest'> {
    const manifest: Manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: {
        mediaType: mediaTypes.dockerConfig,
        size: this.#services.images.configBytes(image.id).length,
        digest: image.id,
      },
      layers: layers.map(layer => ({ ...layer, mediaType: dockerType(layer.mediaType) })),
    };
    return { mediaType: mediaTypes.dockerManifest, bytes: Buffer.from(JSON.stringify(manifest, null, 3)) };
  }

  async #remember(image: Image, manifest: Omit<KeptManifest, 'digest'>): Promise<void> {
    const { images, storage } = this.#services;
    const { digest } = await storage.blobs.write(manifest.bytes, this.#lease.owner);
    const row: ManifestRow = { digest, mediaType: manifest.mediaType, kind: 'manifest' };
    images.add(images.configBytes(image.id), { manifests: [row] });
  }
}

/** What a kept manifest says of its layers, base first. */
function layersOf({ bytes, mediaType }: KeptManifest): Descriptor[] {
  const parsed = parseManifest(bytes, mediaType);
  return parsed.kind === 'manifest' ? [...parsed.manifest.layers] : [];
}

/** A schema 2 manifest names its layers in Docker's own words, whatever they were called where they came from. */
function dockerType(mediaType: string): string {
  switch (mediaType) {
    case mediaTypes.ociLayer:
    case mediaTypes.ociForeignLayer:
    case mediaTypes.dockerForeignLayer:
      return mediaTypes.dockerLayer;
    case mediaTypes.ociLayerGzip:
    case mediaTypes.ociForeignLayerGzip:
    case mediaTypes.dockerForeignLayerGzip:
      return mediaTypes.dockerLayerGzip;
    case mediaTypes.ociLayerZstd:
    case mediaTypes.ociForeignLayerZstd:
      return mediaTypes.dockerLayerZstd;
    default:
      return mediaType;
  }
}
