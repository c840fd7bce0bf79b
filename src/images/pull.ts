import type { Credentials } from '../distribution/auth.ts';
import { pullError } from '../distribution/errors.ts';
import {
  canonicalName,
  familiarName,
  familiarText,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../distribution/reference.ts';
import type { ManifestContent, Repository } from '../distribution/repository.ts';
import { chainIdOf, type Digest } from '../oci/digest.ts';
import type { Descriptor, Index, Manifest, Platform } from '../oci/image.ts';
import { EngineError, kindOf } from '../stdx/errors.ts';
import type { ArrivingBlob, EarlyLayer } from '../storage/early-layer.ts';
import { attestationsOf } from './attestations.ts';
import { fetchConfig } from './fetch-config.ts';
import { readKept } from './kept-manifests.ts';
import type { Lease } from './leases.ts';
import { compressionOf, isImageConfig, type ParsedManifest, parseManifest } from './manifest.ts';
import { chooseManifest, hostPlatform, matchesPlatform, parsePlatform, platformText } from './platform.ts';
import { type Progress, progressBar, shortId } from './progress.ts';
import type { ImageServices } from './services.ts';
import { type Image, parseImageConfig } from './store.ts';
import type { ManifestRow } from './tables.ts';

export interface PullOptions {
  /** `linux/amd64`, `linux/arm/v7`; undefined: this machine's. */
  platform?: string;
  allTags?: boolean;
  credentials?: Credentials;
}

/** Smaller layers are unpacked at once, when they are there. */
const earlyBytes = 1 << 20;

/** Of one statement about an image; a list of all its packages has some megabytes. */
const attestationLimitBytes = 256 << 20;

/**
 * Fetches an image, or with `allTags` all of a repository, and reports in Docker's words. Layers come several at
 * once and are unpacked in order while later ones still arrive. What was fetched when a pull fails or is cut is
 * kept for the next one (leases.ts).
 *
 * @throws EngineError in dockerd's words: `notFound`, `unauthorized`, `unavailable`, `corrupt`, `cancelled` …
 */
export async function pullImage(
  services: ImageServices,
  text: string,
  options: PullOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<Image[]> {
  const named = parseReference(text);
  if (options.allTags === true && (named.tag !== undefined || named.digest !== undefined)) {
    throw new EngineError('invalid', "tag can't be used with --all-tags/-a");
  }
  const reference = options.allTags === true ? named : withDefaultTag(named);
  const repositories = services.registries.repositories(reference, 'pull', options.credentials);
  for (const [index, repository] of repositories.entries()) {
    try {
      const pull = new Pull(services, repository, options, progress, signal);
      const { images, updated } = await pull.run(reference);
      const status = updated ? 'Downloaded newer image' : 'Image is up to date';
      progress({ status: `Status: ${status} for ${familiarText(reference)}` });
      return images;
    } catch (error) {
      const isLast = index === repositories.length - 1;
      if (isLast || kindOf(error) === 'cancelled') throw pullError(error, reference);
      services.log.warn(
        { mirror: String(repository.endpoint.urls[0]), error: String(error) },
        'mirror failed',
      );
    }
  }
  throw new EngineError('internal', `no way to reach ${reference.registry}`);
}

/** One pull from one place. */
class Pull {
  readonly #services: ImageServices;
  readonly #repository: Repository;
  readonly #platform: Platform;
  readonly #platformAsked: boolean;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;

  constructor(
    services: ImageServices,
    repository: Repository,
    options: PullOptions,
    progress: Progress,
    signal: AbortSignal,
  ) {
    this.#services = services;
    this.#repository = repository;
    this.#platformAsked = options.platform !== undefined && options.platform !== '';
    this.#platform = this.#platformAsked ? parsePlatform(options.platform!) : hostPlatform();
    this.#progress = progress;
    this.#signal = signal;
  }

  async run(reference: Reference): Promise<{ images: Image[]; updated: boolean }> {
    if (reference.tag !== undefined || reference.digest !== undefined) {
      const { image, updated } = await this.#one(reference);
      return { images: [image], updated };
    }
    const images: Image[] = [];
    let anyUpdated = false;
    for (const tag of await this.#repository.tags(this.#signal)) {
      const { image, updated } = await this.#one({ ...reference, tag });
      images.push(image);
      anyUpdated ||= updated;
    }
    return { images, updated: anyUpdated };
  }

  async #one(reference: Reference): Promise<{ image: Image; updated: boolean }> {
    const content = await this.#fetchManifest(reference);
    const lease = this.#services.images.leases.take(`pull:${canonicalName(reference)}@${content.digest}`);
    try {
      this.#progress({
        id: reference.digest === undefined ? reference.tag! : familiarText(reference),
        status: `Pulling from ${reference.repository}`,
      });
      const image = await this.#fetchImage(content, lease);
      const updated = this.#name(image, reference, content.digest);
      this.#progress({ status: `Digest: ${content.digest}` });
      if (this.#platformAsked) this.#warnOfPlatform(image, reference);
      await lease.release();
      return { image: this.#services.images.get(image.id)!, updated };
    } catch (error) {
      lease.leave();
      if (this.#signal.aborted) throw new EngineError('cancelled', 'context canceled', { cause: error });
      throw error;
    }
  }

  /** By a HEAD first, which registries do not count; a manifest that is here already is not asked for again. */
  async #fetchManifest(reference: Reference): Promise<ManifestContent> {
    if (reference.digest !== undefined) return this.#manifestByDigest(reference.digest);
    const digest = await this.#repository.manifestDigest(reference.tag!, this.#signal);
    if (digest === undefined) return this.#repository.manifest(reference.tag!, this.#signal);
    return this.#manifestByDigest(digest);
  }

  /** @param listed what an index says of it, which it must be. */
  async #manifestByDigest(digest: string, listed?: Descriptor): Promise<ManifestContent> {
    const { blobs } = this.#services.storage;
    const known = this.#services.images.tables.manifest(digest as Digest);
    const bytes = known === undefined ? undefined : await readKept(blobs, known);
    if (known !== undefined && bytes !== undefined) return { ...known, bytes };
    const content = await this.#repository.manifest(digest, this.#signal);
    if (listed === undefined) return content;
    if (content.bytes.length !== listed.size) {
      const said = `manifest ${digest} has ${content.bytes.length} bytes where the index says ${listed.size}`;
      throw new EngineError('corrupt', said);
    }
    return { ...content, mediaType: listed.mediaType };
  }

  async #fetchImage(content: ManifestContent, lease: Lease): Promise<Image> {
    const manifests: ManifestRow[] = [];
    let current = content;
    let parsed = parseManifest(current.bytes, current.mediaType);
    let index: Index | undefined;
    if (parsed.kind === 'index') {
      ({ index } = parsed);
      manifests.push(await this.#keep(current, parsed, lease));
      const chosen = chooseManifest(index, this.#platform);
      current = await this.#manifestByDigest(chosen.digest, chosen);
      parsed = parseManifest(current.bytes, current.mediaType);
    }
    if (parsed.kind === 'index')
      throw new EngineError('invalid', 'invalid manifest: an index within an index');
    manifests.push(await this.#keep(current, parsed, lease));
    const config = await this.#fetchConfig(parsed.manifest.config);
    // Nothing is said of the layers of an image that is here.
    const known = this.#services.images.get(parsed.manifest.config.digest) !== undefined;
    const diffIds = parseImageConfig(config).rootfs.diff_ids;
    await this.#fetchLayers(parsed.manifest, diffIds, lease, known ? () => {} : this.#progress);
    for (const entry of index === undefined ? [] : attestationsOf(index, current.digest)) {
      manifests.push(...(await this.#fetchAttestation(entry, lease)));
    }
    return this.#services.images.add(config, { manifests });
  }

  /** It belongs to the image, but one that cannot be had keeps nobody from running it. */
  async #fetchAttestation(entry: Descriptor, lease: Lease): Promise<ManifestRow[]> {
    try {
      const content = await this.#manifestByDigest(entry.digest, entry);
      const parsed = parseManifest(content.bytes, content.mediaType);
      if (parsed.kind === 'index') return [];
      await this.#services.storage.blobs.write(content.bytes, lease.owner);
      const { config, layers } = parsed.manifest;
      for (const blob of [config, ...layers]) {
        if (blob.size > attestationLimitBytes) throw new EngineError('invalid', `${blob.size} bytes`);
        const waiter = { hold: (digest: Digest) => lease.holdBlob(digest), progress: () => {} };
        await this.#services.downloads.fetch(blob, this.#repository, waiter, this.#signal);
      }
      return [
        { digest: entry.digest, mediaType: parsed.mediaType, kind: 'attestation' },
        ...[config, ...layers].map(blob => ({ ...blob, kind: 'blob' as const })),
      ];
    } catch (error) {
      this.#signal.throwIfAborted();
      this.#services.log.warn({ digest: entry.digest, err: error }, 'an attestation could not be fetched');
      return [];
    }
  }

  async #keep(content: ManifestContent, parsed: ParsedManifest, lease: Lease): Promise<ManifestRow> {
    await this.#services.storage.blobs.write(content.bytes, lease.owner);
    return { digest: content.digest, mediaType: parsed.mediaType, kind: parsed.kind };
  }

  async #fetchConfig(descriptor: Descriptor): Promise<Buffer> {
    const { images } = this.#services;
    if (images.get(descriptor.digest) !== undefined) return images.configBytes(descriptor.digest);
    if (!isImageConfig(descriptor.mediaType)) {
      throw new EngineError(
        'invalid',
        `this is no image: its configuration is of type "${descriptor.mediaType}"`,
      );
    }
    return fetchConfig(this.#repository, descriptor, this.#signal);
  }

  async #fetchLayers(
    manifest: Manifest,
    diffIds: Digest[],
    lease: Lease,
    presentProgress: Progress,
  ): Promise<void> {
    const steps = planLayers(manifest, diffIds);
    const present = this.#holdPresent(steps, lease, presentProgress);
    const missing = steps.slice(present);
    for (const step of missing) this.#progress({ id: step.id, status: 'Pulling fs layer' });
    // One failed download ends the others; what they have received stays.
    const failed = new AbortController();
    const signal = AbortSignal.any([this.#signal, failed.signal]);
    const early = new Map<LayerStep, EarlyLayer>();
    const downloads = missing.map(step => this.#download(step, early, lease, signal));
    try {
      for (const [index, step] of missing.entries()) {
        await Promise.race([downloads[index], firstFailure(downloads)]);
        await this.#apply(step, early.get(step), lease, signal);
      }
    } catch (error) {
      failed.abort();
      await Promise.allSettled(downloads);
      throw error;
    } finally {
      await Promise.all([...early.values()].map(layer => layer.discard()));
    }
    const { tables } = this.#services.images;
    for (const { layer } of steps) {
      tables.putBlobRepository(layer.digest, this.#repository.registry, this.#repository.name, Date.now());
    }
  }

  /** @returns how many layers, from the base up, are here already. */
  #holdPresent(steps: LayerStep[], lease: Lease, progress: Progress): number {
    const { layers } = this.#services.storage;
    let present = 0;
    for (const step of steps) {
      if (layers.get(step.chainId) === undefined) break;
      lease.holdLayer(step.chainId);
      progress({ id: step.id, status: 'Already exists' });
      present++;
    }
    return present;
  }

  /** It is unpacked while it comes, where that is worth it. */
  #download(
    step: LayerStep,
    early: Map<LayerStep, EarlyLayer>,
    lease: Lease,
    signal: AbortSignal,
  ): Promise<void> {
    const { downloads, storage } = this.#services;
    const { layer } = step;
    const arriving = (blob: ArrivingBlob) => {
      const unpacked = layer.size < earlyBytes ? undefined : storage.layers.unpackEarly(layer.digest, blob);
      if (unpacked !== undefined) early.set(step, unpacked);
    };
    const hold = (digest: Digest) => lease.holdBlob(digest);
    return downloads.fetch(layer, this.#repository, { hold, arriving, progress: this.#progress }, signal);
  }

  /** Only one pull unpacks a layer; the others find it there. */
  async #apply(
    step: LayerStep,
    early: EarlyLayer | undefined,
    lease: Lease,
    signal: AbortSignal,
  ): Promise<void> {
    const { storage, downloads } = this.#services;
    await downloads.applying.run(step.chainId, async () => {
      signal.throwIfAborted();
      if (storage.layers.get(step.chainId) === undefined) {
        await storage.layers.apply({
          ...(step.parent === undefined ? {} : { parent: step.parent }),
          diffId: step.diffId,
          source: { blob: step.layer.digest, mediaType: step.layer.mediaType, early },
          owner: lease.owner,
          onProgress: progressBar(this.#progress, step.id, 'Extracting', step.layer.size),
          signal,
        });
      }
      lease.holdLayer(step.chainId);
    });
    this.#progress({ id: step.id, status: 'Pull complete' });
  }

  /** @returns whether the name meant another image before, or none. */
  #name(image: Image, reference: Reference, digest: Digest): boolean {
    const { images } = this.#services;
    const before = images.find(familiarText(reference));
    images.addDigest(image.id, reference, digest);
    if (reference.digest === undefined && before?.id !== image.id)
      images.tag(image.id, familiarText(reference));
    return before?.id !== image.id;
  }

  /** An image for one platform alone is pulled whatever was asked for; Docker warns in these words. */
  #warnOfPlatform(image: Image, reference: Reference): void {
    const actual: Platform = { os: image.config.os, architecture: image.config.architecture };
    if (image.config.variant !== undefined) actual.variant = image.config.variant;
    if (matchesPlatform(actual, this.#platform)) return;
    this.#progress({
      status: `WARNING: image with reference ${familiarName(reference)} was found but does not match the specified platform: wanted ${platformText(this.#platform)}, actual: ${platformText(actual)}`,
    });
  }
}

interface LayerStep {
  /** As progress names it. */
  id: string;
  layer: Descriptor;
  diffId: Digest;
  chainId: Digest;
  parent?: Digest;
}

/** Brings together what the manifest says of the packed layers and the configuration of the unpacked ones. */
function planLayers(manifest: Manifest, diffIds: Digest[]): LayerStep[] {
  if (manifest.layers.length !== diffIds.length) {
    throw new EngineError('invalid', "layers from manifest don't match image configuration");
  }
  let parent: Digest | undefined;
  return manifest.layers.map((layer, index) => {
    compressionOf(layer.mediaType);
    const diffId = diffIds[index]!;
    const chainId = chainIdOf(parent, diffId);
    const step: LayerStep = { id: shortId(layer.digest), layer, diffId, chainId };
    if (parent !== undefined) step.parent = parent;
    parent = chainId;
    return step;
  });
}

/** Settles only by failing: a later layer's error need not wait for the earlier ones. */
function firstFailure(downloads: Promise<void>[]): Promise<never> {
  return new Promise((_, reject) => {
    for (const download of downloads) download.catch(reject);
  });
}
