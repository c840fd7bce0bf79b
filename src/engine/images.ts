import type { Readable } from 'node:stream';
import { applyChanges } from '../build/changes.ts';
import { familiarText, parseReference, withDefaultTag } from '../distribution/reference.ts';
import type { SearchResult } from '../distribution/search.ts';
import { bootstrapImage } from '../images/bootstrap.ts';
import { type BlobSource, type BorrowedImage, BorrowedImages } from '../images/borrow.ts';
import { importImage } from '../images/import.ts';
import { inspectInRegistry, type RegistryInspection } from '../images/inspect-in-registry.ts';
import { loadImages } from '../images/load.ts';
import { type ManifestSummary, manifestSummaries } from '../images/manifest-summaries.ts';
import { needPlatform } from '../images/need-platform.ts';
import { imageForPlatform } from '../images/other-platforms.ts';
import type { CollectionPolicy } from '../images/plan-collection.ts';
import type { ProgressEvent } from '../images/progress.ts';
import { pullImage } from '../images/pull.ts';
import { pushImage } from '../images/push.ts';
import type { ContainerUse, RemoveResult } from '../images/remove.ts';
import { saveImages } from '../images/save.ts';
import type { ImageServices } from '../images/services.ts';
import type { Image } from '../images/store.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/image.ts';
import { kindOf } from '../stdx/errors.ts';
import { isUp } from './containers/stop.ts';
import type { EngineContext } from './context.ts';
import { imageLabels, publishImageEvent, publishTransfer } from './image-events.ts';

export interface RegistryCredentials {
  username?: string;
  password?: string;
  identityToken?: string;
  registryToken?: string;
  serverAddress?: string;
}

/** Images with their side effects on containers and events. Reads go to ImageStore directly. */
export interface ImageUseCases {
  pull(
    reference: string,
    options: { platform?: string; allTags?: boolean; credentials?: RegistryCredentials },
    progress: (event: ProgressEvent) => void,
    signal: AbortSignal,
  ): Promise<void>;
  push(
    reference: string,
    options: { credentials?: RegistryCredentials; allTags?: boolean; platform?: string },
    progress: (event: ProgressEvent) => void,
    signal: AbortSignal,
  ): Promise<void>;
  tag(source: string, target: string): Promise<void>;
  remove(ref: string, options: { force: boolean; noPrune: boolean }): Promise<RemoveResult[]>;
  /** Ids of the containers made of an image. */
  containersOf(id: Digest): string[];
  /** What the image consists of in a registry, as far as it is known. */
  manifests(image: Image): Promise<ManifestSummary[]>;
  /**
   * What an image is for a platform: itself, or what its index has for another one, which may not be unpacked.
   * @throws EngineError `notFound` when it is not kept for the platform asked for, if any
   */
  forPlatform(image: Image, wanted: string | undefined, shown: string): Promise<Image>;
  /** @throws EngineError `notFound` when the image is for another platform than the one asked for, if any */
  needPlatform(image: Image, wanted: string | undefined, shown: string): void;
  /** @param platform refused where an image is not kept for it */
  save(refs: string[], platform?: string): Promise<Readable>;
  load(
    tar: Readable,
    options: { quiet: boolean; platform?: string },
    progress: (event: ProgressEvent) => void,
    signal: AbortSignal,
  ): Promise<{ loaded: string[]; lines: string[] }>;
  import(
    tar: Readable,
    options: { repository?: string; tag?: string; message?: string; changes: string[]; platform?: string },
    signal: AbortSignal,
  ): Promise<{ imageId: string }>;
  /**
   * An image that is somewhere else, here for as long as somebody needs it.
   * @param digest of its manifest, or of an index
   */
  borrow(source: BlobSource, digest: Digest, platform: Platform, signal: AbortSignal): Promise<BorrowedImage>;
  bootstrap(
    spec: string,
    progress: (event: ProgressEvent) => void,
    signal: AbortSignal,
  ): Promise<{ imageId: string }>;
  prune(options: {
    danglingOnly: boolean;
    matches: (image: Image) => boolean;
  }): Promise<{ removed: RemoveResult[]; reclaimedBytes: number }>;
  /** Removes what no container uses, by the policy of the daemon's settings; nothing without one. */
  /** @param policy instead of the settings' own */
  collect(policy?: CollectionPolicy): Promise<RemoveResult[]>;
  /** What would be free without those that no container uses. */
  unusedBytes(): number;
  /** What a registry says of a name: its manifest's descriptor and the platforms it is for. Nothing is fetched. */
  inspectInRegistry(
    reference: string,
    credentials: RegistryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<RegistryInspection>;
  search(
    term: string,
    options: { limit: number; credentials: RegistryCredentials | undefined },
    signal: AbortSignal,
  ): Promise<SearchResult[]>;
  /** Checks credentials against a registry. */
  login(
    credentials: RegistryCredentials,
    signal: AbortSignal,
  ): Promise<{ status: string; identityToken: string }>;
}

export function imageUseCases(context: EngineContext, services: ImageServices): ImageUseCases {
  const publish = (action: string, ref: string, name: string) =>
    publishImageEvent(context, action, ref, name);
  const inUse = (id: Digest): ContainerUse[] =>
    context.containers
      .list()
      .filter(record => record.imageId === id || record.mounts.some(({ image }) => image?.id === id))
      .map(record => ({ id: record.id, running: isUp(record) }));
  const publishRemoval = (results: RemoveResult[], labels: ReadonlyMap<string, Record<string, string>>) => {
    for (const result of results) {
      if ('deleted' in result) {
        if (result.what === 'image') publish('delete', result.deleted, result.deleted);
      } else if (!result.along) {
        const { imageId } = result;
        context.events.publish('image', 'untag', imageId, { ...labels.get(imageId), name: imageId });
      }
    }
  };

  const borrowed = new BorrowedImages(services, async id => {
    try {
      await context.images.remove(id, { force: false, noPrune: true, inUse });
    } catch (error) {
      // A container has it now, or an image that was made of it.
      if (kindOf(error) !== 'conflict' && kindOf(error) !== 'notFound') throw error;
    }
  });

  return {
    borrow: (source, digest, platform, signal) => borrowed.borrow(source, digest, platform, signal),
    async pull(reference, options, progress, signal) {
      await pullImage(services, reference, options, progress, signal);
      const pulled = parseReference(reference);
      const named = options.allTags === true ? pulled : withDefaultTag(pulled);
      publishTransfer(context, 'pull', named);
    },
    async push(reference, options, progress, signal) {
      await pushImage(services, reference, options, progress, signal);
      publishTransfer(context, 'push', parseReference(reference));
    },
    async tag(source, target) {
      const image = context.images.resolve(source);
      context.images.tag(image.id, target);
      publish('tag', image.id, withDefaultTagText(target));
    },
    async remove(ref, options) {
      const image = context.images.find(ref);
      const labels = new Map(image === undefined ? [] : [[image.id, imageLabels(context, image.id)]]);
      const results = await context.images.remove(ref, { ...options, inUse });
      publishRemoval(results, labels);
      return results;
    },
    containersOf: id => inUse(id).map(container => container.id),
    manifests: image => manifestSummaries(services, image),
    forPlatform: (image, wanted, shown) => imageForPlatform(services, image, wanted, shown),
    needPlatform,
    async save(refs, platform) {
      const tar = await saveImages(services, refs, platform);
      for (const id of new Set(refs.flatMap(ref => idsOf(context, ref)))) publish('save', id, id);
      return tar;
    },
    async load(tar, options, progress, signal) {
      const result = await loadImages(services, tar, options, progress, signal);
      for (const id of result.imageIds) publish('load', id, id);
      return result;
    },
    async import(tar, options, signal) {
      const { repository, tag, message, platform, changes } = options;
      const reference = repository === undefined ? undefined : tag ? `${repository}:${tag}` : repository;
      const config = changes.length === 0 ? undefined : applyChanges({}, changes);
      const image = await importImage(services, tar, { reference, message, platform, config }, signal);
      if (reference !== undefined) publish('tag', image.id, withDefaultTagText(reference));
      publish('import', image.id, image.id);
      return { imageId: image.id };
    },
    async bootstrap(spec, progress, signal) {
      const image = await bootstrapImage(services, spec, {}, progress, signal);
      publish('import', image.id, image.references[0] ?? image.id);
      return { imageId: image.id };
    },
    async prune(options) {
      const labels = new Map(context.images.list().map(({ id }) => [id, imageLabels(context, id)]));
      const result = await context.images.prune({ ...options, inUse });
      publishRemoval(result.removed, labels);
      context.events.publish('image', 'prune', '', { reclaimed: String(result.reclaimedBytes) });
      return result;
    },
    unusedBytes: () => context.images.unusedBytes(inUse),
    async collect(policy = context.settings.imageCollection) {
      if (policy === undefined) return [];
      const labels = new Map(context.images.list().map(({ id }) => [id, imageLabels(context, id)]));
      const removed = await context.images.collect(policy, inUse);
      publishRemoval(removed, labels);
      if (removed.length > 0)
        context.log.info({ removed: removed.length }, 'images over their budget removed');
      return removed;
    },
    inspectInRegistry: (reference, credentials, signal) =>
      inspectInRegistry(services, reference, credentials, signal),
    search: (term, options, signal) => services.registries.search(term, options, signal),
    login: (credentials, signal) => services.registries.login(credentials, signal),
  };
}

/** A name without a tag means all its tags. */
function idsOf(context: EngineContext, ref: string): Digest[] {
  const image = context.images.find(ref);
  if (image !== undefined) return [image.id];
  return context.images.tagsOf(parseReference(ref)).map(({ imageId }) => imageId);
}

function withDefaultTagText(text: string): string {
  return familiarText(withDefaultTag(parseReference(text)));
}
