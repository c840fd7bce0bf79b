import type { Readable } from 'node:stream';
import { chainIdOf, type Digest, digestOf } from '../oci/digest.ts';
import type { Descriptor, Platform } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import type { Lease } from './leases.ts';
import { parseManifest } from './manifest.ts';
import { chooseManifest } from './platform.ts';
import type { ImageServices } from './services.ts';
import { type Image, parseImageConfig } from './store.ts';

/** Blobs by digest, wherever they are: an OCI layout of a client, for one. Nothing is verified. */
export interface BlobSource {
  /** @throws EngineError `notFound`, also while it is read */
  read(digest: Digest, signal: AbortSignal): Readable;
}

export interface BorrowedImage {
  imageId: Digest;
  /** It is not needed any more. */
  release(): Promise<void>;
}

/** Manifests and configurations; more would be no image. */
const textLimitBytes = 16 << 20;

/**
 * Images that come from elsewhere for the time of a build. One that was not here before, and got no name meanwhile,
 * goes when the last who borrowed it has given it back.
 */
export class BorrowedImages {
  readonly #services: ImageServices;
  /** Only those that were not here before. */
  readonly #users = new Map<Digest, number>();
  readonly #remove: (id: Digest) => Promise<void>;

  /** @param remove an image without a name, unless somebody uses it */
  constructor(services: ImageServices, remove: (id: Digest) => Promise<void>) {
    this.#services = services;
    this.#remove = remove;
  }

  /**
   * @param digest of a manifest, or of an index in which the platform's is looked for
   * @throws EngineError `corrupt` when contents and digests differ
   */
  async borrow(
    source: BlobSource,
    digest: Digest,
    platform: Platform,
    signal: AbortSignal,
  ): Promise<BorrowedImage> {
    const { images } = this.#services;
    const lease = images.leases.takeOnce('borrow');
    try {
      const fetched = new FetchedImage(this.#services, source, lease, signal);
      const config = await fetched.config(digest, platform);
      const id = digestOf(config);
      if (images.get(id) === undefined || this.#users.has(id))
        this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
      const image = images.add(config);
      let open = true;
      return {
        imageId: image.id,
        release: async () => {
          if (!open) return;
          open = false;
          await this.#giveBack(image.id);
          await lease.release();
        },
      };
    } catch (error) {
      await lease.release();
      throw error;
    }
  }

  async #giveBack(id: Digest): Promise<void> {
    const users = this.#users.get(id);
    if (users === undefined) return;
    if (users > 1) {
      this.#users.set(id, users - 1);
      return;
    }
    this.#users.delete(id);
    const image: Image | undefined = this.#services.images.get(id);
    if (image !== undefined && image.references.length + image.digests.length === 0) await this.#remove(id);
  }
}

class FetchedImage {
  readonly #services: ImageServices;
  readonly #source: BlobSource;
  readonly #lease: Lease;
  readonly #signal: AbortSignal;

  constructor(services: ImageServices, source: BlobSource, lease: Lease, signal: AbortSignal) {
    this.#services = services;
    this.#source = source;
    this.#lease = lease;
    this.#signal = signal;
  }

  /** @returns its bytes; the layers are there by then */
  async config(digest: Digest, platform: Platform): Promise<Buffer> {
    let parsed = parseManifest(await this.#text(digest), '');
    if (parsed.kind === 'index') {
      const { digest: chosen, mediaType } = chooseManifest(parsed.index, platform);
      parsed = parseManifest(await this.#text(chosen), mediaType);
    }
    if (parsed.kind === 'index') throw new EngineError('invalid', 'an index within an index');
    const { config, layers } = parsed.manifest;
    const bytes = await this.#text(config.digest);
    const { diff_ids: diffIds } = parseImageConfig(bytes).rootfs;
    if (diffIds.length !== layers.length)
      throw new EngineError(
        'invalid',
        `invalid manifest: ${layers.length} layers for ${diffIds.length} of its configuration`,
      );
    let parent: Digest | undefined;
    for (const [index, diffId] of diffIds.entries()) {
      await this.#layer(layers[index]!, diffId, parent);
      parent = chainIdOf(parent, diffId);
    }
    return bytes;
  }

  async #layer(blob: Descriptor, diffId: Digest, parent: Digest | undefined): Promise<void> {
    const { storage, downloads } = this.#services;
    const chainId = chainIdOf(parent, diffId);
    await downloads.applying.run(chainId, async () => {
      if (storage.layers.get(chainId) === undefined) {
        await this.#fetch(blob);
        const source = { blob: blob.digest, mediaType: blob.mediaType };
        const { owner } = this.#lease;
        await storage.layers.apply({ parent, diffId, source, owner, signal: this.#signal });
      }
      this.#lease.holdLayer(chainId);
    });
  }

  /** A blob of the store's then, which the lease holds. */
  async #fetch({ digest, size }: Descriptor): Promise<void> {
    const { blobs } = this.#services.storage;
    this.#lease.holdBlob(digest);
    if (blobs.has(digest)) return;
    const ingest = await blobs.ingest({ digest, size, key: `borrow:${crypto.randomUUID()}` });
    try {
      for await (const chunk of this.#source.read(digest, this.#signal)) {
        this.#signal.throwIfAborted();
        await ingest.write(chunk as Buffer);
      }
      await ingest.commit();
    } catch (error) {
      await ingest.abort({ keep: false });
      throw error;
    }
  }

  async #text(digest: Digest): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of this.#source.read(digest, this.#signal) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > textLimitBytes) throw new EngineError('invalid', `${digest} is too large to be a manifest`);
      chunks.push(chunk);
    }
    const text = Buffer.concat(chunks);
    if (digestOf(text) !== digest)
      throw new EngineError('corrupt', `the content of ${digest} has another digest`);
    return text;
  }
}
