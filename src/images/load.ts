import type { Readable } from 'node:stream';
import { decompress } from '../archive/compression.ts';
import { familiarText, type Reference } from '../distribution/reference.ts';
import { chainIdOf, type Digest, digestOf } from '../oci/digest.ts';
import type { Platform } from '../oci/image.ts';
import { EngineError, kindOf, within } from '../stdx/errors.ts';
import { ImageArchive } from './archive.ts';
import { type ArchivedImage, blobPath, imagesOf } from './archived-images.ts';
import type { Lease } from './leases.ts';
import { hostPlatform, matchesPlatform, parsePlatform, platformText } from './platform.ts';
import { type Progress, progressBar, shortId } from './progress.ts';
import type { ImageServices } from './services.ts';
import { type Image, parseImageConfig } from './store.ts';

export interface LoadResult {
  /** What was loaded: familiar names, and ids of images without one. */
  loaded: string[];
  /** What `docker load` prints, one entry a line. */
  lines: string[];
  /** Every image once. */
  imageIds: Set<Digest>;
}

/**
 * Loads the images of a docker archive or an OCI layout, plain or compressed. The tar is read once, as it comes
 * (archive.ts), and what it says of itself is looked at afterwards (archived-images.ts).
 *
 * @param options.platform which image of an index, `linux/arm64`; undefined: this machine's.
 * @throws EngineError `invalid` for what is no such archive, `corrupt` when contents and digests differ.
 */
export async function loadImages(
  services: ImageServices,
  tar: Readable,
  options: { quiet: boolean; platform?: string },
  progress: Progress,
  signal: AbortSignal,
): Promise<LoadResult> {
  const lease = services.images.leases.take(`load:${crypto.randomUUID()}`);
  let archive: ImageArchive | undefined;
  try {
    archive = await readArchive(services, lease, tar, signal);
    const result: LoadResult = { loaded: [], lines: [], imageIds: new Set() };
    const load = new Load(services, archive, lease, options.quiet ? () => {} : progress, signal);
    const platform = options.platform === undefined ? hostPlatform() : parsePlatform(options.platform);
    for (const archived of imagesOf(archive, platform)) {
      if (options.platform !== undefined) needArchivedPlatform(archived, platform);
      await load.run(archived, result);
    }
    return result;
  } catch (error) {
    if (signal.aborted) throw new EngineError('cancelled', 'context canceled', { cause: error });
    throw error;
  } finally {
    await archive?.close();
    await lease.release();
  }
}

/** The platform was asked for by name, so nothing else will do. */
function needArchivedPlatform(archived: ArchivedImage, wanted: Platform): void {
  const { os, architecture, variant } = parseImageConfig(archived.config);
  const offered: Platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  if (matchesPlatform(offered, wanted)) return;
  const shown = archived.references.map(familiarText)[0] ?? digestOf(archived.config);
  throw new EngineError(
    'notFound',
    `image ${shown} in the archive is for ${platformText(offered)}, not for ${platformText(wanted)}`,
  );
}

/** What is no tar fails in dockerd's helper process, and it says so. */
async function readArchive(
  services: ImageServices,
  lease: Lease,
  tar: Readable,
  signal: AbortSignal,
): Promise<ImageArchive> {
  try {
    return await ImageArchive.read(services.storage, lease, tar, signal);
  } catch (error) {
    if (kindOf(error) !== 'invalid') throw error;
    throw within('Error processing tar file(exit status 1)', error);
  }
}

class Load {
  readonly #services: ImageServices;
  readonly #archive: ImageArchive;
  readonly #lease: Lease;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;

  constructor(
    services: ImageServices,
    archive: ImageArchive,
    lease: Lease,
    progress: Progress,
    signal: AbortSignal,
  ) {
    this.#services = services;
    this.#archive = archive;
    this.#lease = lease;
    this.#progress = progress;
    this.#signal = signal;
  }

  async run(archived: ArchivedImage, result: LoadResult): Promise<void> {
    const { diff_ids: diffIds } = parseImageConfig(archived.config).rootfs;
    if (diffIds.length !== archived.layers.length) {
      throw new EngineError(
        'invalid',
        `invalid manifest, layers length mismatch: expected ${diffIds.length}, got ${archived.layers.length}`,
      );
    }
    let parent: Digest | undefined;
    for (const [index, path] of archived.layers.entries()) {
      parent = await this.#loadLayer(path, diffIds[index]!, parent);
    }
    const { images } = this.#services;
    for (const { digest } of archived.manifests) await this.#archive.blob(blobPath(digest));
    const image = images.add(archived.config, { manifests: archived.manifests });
    result.imageIds.add(image.id);
    for (const reference of archived.references) this.#tag(image, reference, result);
    if (archived.references.length > 0) return;
    result.loaded.push(image.id);
    result.lines.push(`Loaded image ID: ${image.id}`);
  }

  async #loadLayer(path: string, diffId: Digest, parent: Digest | undefined): Promise<Digest> {
    const { storage } = this.#services;
    const chainId = chainIdOf(parent, diffId);
    if (storage.layers.get(chainId) === undefined) {
      const blob = await this.#archive.blob(path);
      const size = storage.blobs.sizeOf(blob) ?? 0;
      await storage.layers.apply({
        ...(parent === undefined ? {} : { parent }),
        diffId,
        source: await this.#sourceOf(blob),
        owner: this.#lease.owner,
        onProgress: progressBar(this.#progress, shortId(diffId), 'Loading layer', size),
        signal: this.#signal,
      });
    }
    this.#lease.holdLayer(chainId);
    return chainId;
  }

  async #sourceOf(digest: Digest) {
    const { blobs } = this.#services.storage;
    const mediaType = await this.#archive.layerType(digest);
    if (mediaType === undefined) return decompress(blobs.stream(digest));
    return { blob: digest, mediaType, early: this.#archive.early(digest) };
  }

  /** Docker says so when a name moves to another image. */
  #tag(image: Image, reference: Reference, result: LoadResult): void {
    const { images } = this.#services;
    const name = familiarText(reference);
    const before = images.find(name);
    if (before !== undefined && before.id !== image.id) {
      result.lines.push(
        `The image ${name} already exists, renaming the old one with ID ${before.id} to empty string`,
      );
    }
    images.tag(image.id, name);
    result.loaded.push(name);
    result.lines.push(`Loaded image: ${name}`);
  }
}
