import {
  canonicalName,
  familiarName,
  familiarText,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../distribution/reference.ts';
import { chainIdOfAll, type Digest, digestOf, isDigest } from '../oci/digest.ts';
import type { ImageConfig } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import type { Log } from '../stdx/log.ts';
import { KeyedMutex } from '../stdx/mutex.ts';
import type { Layer } from '../storage/layers.ts';
import type { Storage } from '../storage/storage.ts';
import { isBuiltOn } from './descent.ts';
import { type HistoryItem, planHistory } from './history.ts';
import { Leases } from './leases.ts';
import {
  type CollectableImage,
  type CollectionPolicy,
  planCollection,
  unusedBytes,
} from './plan-collection.ts';
import { type ContainerUse, planRemoval, type RemovalView, type RemoveResult } from './remove.ts';
import { type ImageRow, ImageTables, type ManifestRow, type ReferenceRow } from './tables.ts';

export interface Image {
  /** Digest of the configuration. */
  readonly id: Digest;
  readonly config: ImageConfig;
  /** Tags as Docker shows them, sorted: `busybox:latest`. */
  readonly references: string[];
  /** `busybox@sha256:…`, sorted. */
  readonly digests: string[];
  /** undefined: an image without layers. */
  readonly chainId?: Digest;
  /** All its layers unpacked, also the shared ones. */
  readonly sizeBytes: number;
  readonly createdMs: number;
  /** The image it was built on, when that was built here too. */
  readonly parent?: Digest;
  readonly lastTaggedMs: number;
  readonly lastUsedMs: number;
}

export interface RemoveOptions {
  force: boolean;
  /** Keep untagged parents. */
  noPrune: boolean;
  /** The containers made of an image. */
  inUse: (id: Digest) => ContainerUse[];
}

export interface PruneOptions {
  /** Only images without a tag; otherwise all that no container uses. */
  danglingOnly: boolean;
  matches: (image: Image) => boolean;
  inUse: (id: Digest) => ContainerUse[];
}

/**
 * The images of this machine: configurations, the names they go by, and what they keep alive. Rows are the truth;
 * layers and blobs are held through references of the owner `image:<id>`, made and dropped in the same transaction
 * as the row, so that no kill can part them.
 */
export class ImageStore {
  readonly tables: ImageTables;
  /** Holds what is being pulled, loaded or imported until an image owns it. */
  readonly leases: Leases;
  readonly #storage: Storage;
  readonly #log: Log;
  /** Parsed configurations; an image never changes, so an entry is right until its row is gone. */
  readonly #configs = new Map<Digest, ImageConfig>();
  readonly #removing = new KeyedMutex();

  constructor(storage: Storage, log: Log) {
    this.#storage = storage;
    this.#log = log;
    this.tables = new ImageTables(storage.database);
    this.leases = new Leases(this.tables, storage, log);
  }

  /**
   * The image meant by a name (`busybox`, `busybox:1.36`, `busybox@sha256:…`), an id or the beginning of one.
   * @throws EngineError `notFound` (`No such image: busybox:latest`), `invalid` for bad and ambiguous ones.
   */
  resolve(text: string): Image {
    const image = this.find(text);
    if (image !== undefined) return image;
    throw new EngineError('notFound', `No such image: ${missingName(text)}`);
  }

  /** As resolve(), but undefined when there is none. */
  find(text: string): Image | undefined {
    const id = text.startsWith('sha256:') ? text : `sha256:${text}`;
    if (isDigest(id)) return this.get(id);
    return this.findNamed(text) ?? this.#findByPrefix(text);
  }

  get(id: Digest): Image | undefined {
    const row = this.tables.image(id);
    return row === undefined ? undefined : this.#imageOf(row);
  }

  /** Also of those whose rows cannot be read. */
  get count(): number {
    return this.tables.imageIds().length;
  }

  /** Newest first. */
  list(): Image[] {
    return this.tables.imageIds().flatMap(id => this.#readable(id) ?? []);
  }

  /** One that cannot be read keeps nobody from seeing the others. */
  #readable(id: Digest): Image | undefined {
    try {
      return this.get(id);
    } catch (error) {
      this.#log.error({ image: id, err: error }, 'the row of an image is corrupt: pull or build it again');
      return undefined;
    }
  }

  childrenOf(id: Digest): Digest[] {
    return this.tables.childrenOf(id);
  }

  /** All images built on it, wherever that was done. */
  descendantsOf(base: Image): Image[] {
    return this.list().filter(image => image.id !== base.id && isBuiltOn(image.config, base.config));
  }

  /** The exact bytes whose digest is the id. */
  configBytes(id: Digest): Buffer {
    const row = this.tables.image(id);
    if (row === undefined) throw new EngineError('notFound', `No such image: ${id}`);
    return Buffer.from(row.config);
  }

  /** The manifests and indexes an image came with, whose bytes are among the blobs. */
  manifestsOf(id: Digest): ManifestRow[] {
    return this.tables.manifestsOf(id);
  }

  /**
   * Registers an image made on this machine. `rootfs` is made of the layers, base first, all of them.
   * The same configuration twice is the same image; a new parent replaces the old one, as in Docker.
   */
  async create(
    config: Omit<ImageConfig, 'rootfs'>,
    options: { layers: Layer[]; parent?: Digest },
  ): Promise<Image> {
    const rootfs: ImageConfig['rootfs'] = {
      type: 'layers',
      diff_ids: options.layers.map(layer => layer.diffId),
    };
    const bytes = Buffer.from(JSON.stringify({ ...config, rootfs }));
    return this.add(bytes, { parent: options.parent });
  }

  /**
   * Registers an image by its configuration's bytes. Its layers are in the store and held by somebody (a lease, a
   * container, another image) until this returns.
   */
  add(bytes: Buffer, options: { parent?: Digest; manifests?: ManifestRow[] } = {}): Image {
    const config = parseImageConfig(bytes);
    const id = digestOf(bytes);
    const chainId = chainIdOfAll(config.rootfs.diff_ids);
    const layers = chainId === undefined ? [] : this.#storage.layers.chain(chainId);
    if (chainId !== undefined) this.#storage.layers.makeDurable(chainId);
    this.tables.transaction(() => {
      if (this.tables.image(id) === undefined) {
        this.tables.insertImage({
          id,
          config: bytes,
          chainId: chainId ?? null,
          sizeBytes: layers.reduce((sum, layer) => sum + layer.sizeBytes, 0),
          parent: options.parent ?? null,
          createdMs: Date.parse(config.created ?? '') || 0,
          lastTaggedMs: 0,
          lastUsedMs: Date.now(),
        });
        if (chainId !== undefined) this.#storage.layers.reference(ownerOf(id), chainId);
      } else if (options.parent !== undefined) {
        this.tables.setParent(id, options.parent);
      }
      for (const manifest of options.manifests ?? []) {
        this.#storage.blobs.reference(ownerOf(id), manifest.digest);
        this.tables.putManifest(id, manifest);
      }
    });
    return this.get(id)!;
  }

  /** Instead of what it had: an image that is built again goes out as it was built last. */
  setManifests(id: Digest, manifests: readonly ManifestRow[]): void {
    const { blobs } = this.#storage;
    const owner = ownerOf(id);
    this.tables.transaction(() => {
      for (const { digest } of this.tables.manifestsOf(id)) {
        this.tables.deleteManifest(id, digest);
        blobs.dereference(owner, digest);
      }
      for (const manifest of manifests) {
        blobs.reference(owner, manifest.digest);
        this.tables.putManifest(id, manifest);
      }
    });
  }

  /** Gives an image a tag (`latest` when none is written), taking it from the image that had it. */
  tag(id: Digest, text: string): Reference {
    const reference = withDefaultTag(parseReference(text));
    if (reference.digest !== undefined) {
      throw new EngineError('invalid', 'refusing to create a tag with a digest reference');
    }
    if (familiarName(reference) === 'sha256') {
      const message = 'refusing to create an ambiguous tag using digest algorithm as name';
      throw new EngineError('invalid', message);
    }
    this.#point(id, reference, `:${reference.tag}`);
    return reference;
  }

  /** Remembers that the image is known as `name@digest` in a registry. */
  addDigest(id: Digest, reference: Reference, digest: Digest): void {
    this.#point(id, reference, `@${digest}`);
  }

  /** Tags of one repository, as `docker push --all-tags` sends them. */
  tagsOf(reference: Reference): { tag: string; imageId: Digest }[] {
    return this.tables
      .tagsOf(canonicalName(reference))
      .map(row => ({ tag: row.suffix.slice(1), imageId: row.imageId }));
  }

  /**
   * Removes a name, and the image with its last name, in Docker's order and by Docker's rules (remove.ts).
   * @throws EngineError `notFound`, `conflict`.
   */
  async remove(text: string, options: RemoveOptions): Promise<RemoveResult[]> {
    return this.#removing.run('', async () => {
      const image = this.resolve(text);
      const plan = planRemoval(this.#removalView(options.inUse), image.id, text, options);
      const results: RemoveResult[] = [];
      for (const step of plan) {
        if (step.kind === 'untag') {
          this.tables.deleteReference(step.name, step.suffix);
          results.push({
            untagged: familiarText(referenceOf(step)),
            imageId: image.id,
            along: step.along === true,
          });
        } else {
          results.push({ deleted: step.imageId, what: 'image' }, ...(await this.#delete(step.imageId)));
        }
      }
      return results;
    });
  }

  /** Newest first, as `docker history` lists it. */
  history(image: Image): HistoryItem[] {
    return planHistory(this, this.#storage.layers, image);
  }

  async prune(options: PruneOptions): Promise<{ removed: RemoveResult[]; reclaimedBytes: number }> {
    const sizes = new Map<string, number>();
    const removed: RemoveResult[] = [];
    for (const image of this.list()) {
      const named = image.references.length > 0 || image.digests.length > 0;
      if (!named && this.childrenOf(image.id).length > 0) continue;
      if (!options.matches(image)) continue;
      if (options.danglingOnly && image.references.length > 0) continue;
      if (image.chainId !== undefined) {
        for (const layer of this.#storage.layers.chain(image.chainId))
          sizes.set(layer.chainId, layer.sizeBytes);
      }
      const names = named ? [...image.references, ...image.digests] : [image.id];
      for (const name of names) removed.push(...(await this.#removeQuietly(name, options)));
    }
    await this.leases.dropUnused();
    const deleted = removed.flatMap(result => ('deleted' in result ? [result.deleted] : []));
    return { removed, reclaimedBytes: deleted.reduce((sum, id) => sum + (sizes.get(id) ?? 0), 0) };
  }

  /** A container was made of it, or removed. */
  touch(id: Digest): void {
    this.tables.setLastUsed(id, Date.now());
  }

  /** Removes the least recently used images that no container uses, until the rest fits into its budget. */
  async collect(policy: CollectionPolicy, inUse: RemoveOptions['inUse']): Promise<RemoveResult[]> {
    const images = this.list();
    const plan = planCollection(this.#collectable(images, inUse), policy, Date.now());
    const removed: RemoveResult[] = [];
    for (const image of images.filter(({ id }) => plan.includes(id))) {
      const names = [...image.references, ...image.digests];
      for (const name of names.length === 0 ? [image.id] : names)
        removed.push(...(await this.#removeQuietly(name, { inUse })));
    }
    return removed;
  }

  /** Bytes on the disk of layers that only images without containers have. */
  unusedBytes(inUse: RemoveOptions['inUse']): number {
    return unusedBytes(this.#collectable(this.list(), inUse));
  }

  #collectable(images: readonly Image[], inUse: RemoveOptions['inUse']): CollectableImage[] {
    return images.map(image => ({
      id: image.id,
      layers: image.chainId === undefined ? [] : this.#storage.layers.chain(image.chainId).map(bytesOf),
      lastUsedMs: Math.max(image.lastUsedMs, image.lastTaggedMs),
      inUse: inUse(image.id).length > 0,
    }));
  }

  async #removeQuietly(name: string, options: Pick<RemoveOptions, 'inUse'>): Promise<RemoveResult[]> {
    try {
      return await this.remove(name, { force: false, noPrune: false, inUse: options.inUse });
    } catch (error) {
      // Images in use stay, and an image may have gone with the one before it (Docker's ImagesPrune).
      if (error instanceof EngineError && (error.kind === 'conflict' || error.kind === 'notFound')) return [];
      throw error;
    }
  }

  /** @returns the layers that went with it, topmost first. */
  async #delete(id: Digest): Promise<RemoveResult[]> {
    const row = this.tables.image(id)!;
    const { layers, blobs } = this.#storage;
    const chain = row.chainId === null ? [] : layers.chain(row.chainId);
    this.tables.transaction(() => {
      this.tables.deleteImage(id);
      layers.dereference(ownerOf(id));
      blobs.dereference(ownerOf(id));
    });
    this.#configs.delete(id);
    await layers.removeUnreferenced();
    await blobs.removeUnreferenced();
    const gone = chain.reverse().filter(layer => layers.get(layer.chainId) === undefined);
    this.#log.debug({ id, layers: gone.length }, 'image removed');
    return gone.map(layer => ({ deleted: layer.chainId, what: 'layer' }));
  }

  #removalView(inUse: RemoveOptions['inUse']): RemovalView {
    return {
      referencesOf: id => this.tables.referencesOf(id),
      childrenOf: id => this.tables.childrenOf(id),
      parentOf: id => this.tables.image(id)?.parent ?? undefined,
      containersOf: inUse,
    };
  }

  #point(id: Digest, reference: Reference, suffix: string): void {
    const row: ReferenceRow = { name: canonicalName(reference), suffix, imageId: id };
    this.tables.transaction(() => {
      if (this.tables.image(id) === undefined) throw new EngineError('notFound', `No such image: ${id}`);
      this.tables.putReference(row, Date.now());
    });
  }

  /** By a name alone: `cafe` is no id. */
  findNamed(text: string): Image | undefined {
    const reference = withDefaultTag(parseReference(text));
    // With both, the digest says which image is meant and the tag is decoration (distribution/reference).
    const suffix = reference.digest === undefined ? `:${reference.tag}` : `@${reference.digest}`;
    const row = this.tables.reference(canonicalName(reference), suffix);
    return row === undefined ? undefined : this.get(row.imageId);
  }

  #findByPrefix(text: string): Image | undefined {
    const hex = text.startsWith('sha256:') ? text.slice('sha256:'.length) : text;
    if (!/^[0-9a-f]{1,63}$/.test(hex)) return undefined;
    const ids = this.tables.imageIdsByPrefix(hex);
    if (ids.length > 1) throw new EngineError('invalid', `Multiple IDs found with provided prefix: ${hex}`);
    return ids[0] === undefined ? undefined : this.get(ids[0]);
  }

  #imageOf(row: ImageRow): Image {
    const { id } = row;
    let config = this.#configs.get(id);
    if (config === undefined) {
      config = parseImageConfig(Buffer.from(row.config));
      this.#configs.set(id, config);
    }
    const names = this.tables.referencesOf(id);
    const image: Image = {
      id,
      config,
      references: names.filter(isTagRow).map(name => familiarText(referenceOf(name))),
      digests: names.filter(name => !isTagRow(name)).map(name => familiarText(referenceOf(name))),
      sizeBytes: row.sizeBytes,
      createdMs: row.createdMs,
      lastTaggedMs: row.lastTaggedMs,
      lastUsedMs: row.lastUsedMs,
      ...(row.chainId === null ? {} : { chainId: row.chainId }),
      ...(row.parent === null ? {} : { parent: row.parent }),
    };
    return image;
  }
}

/**
 * The parts of a configuration the engine relies on, checked.
 * @throws EngineError `invalid`.
 */
export function parseImageConfig(bytes: Buffer): ImageConfig {
  let config: ImageConfig;
  try {
    config = JSON.parse(bytes.toString('utf8')) as ImageConfig;
  } catch (error) {
    throw new EngineError('invalid', 'invalid image configuration: not JSON', { cause: error });
  }
  if (config === null || typeof config !== 'object') throw invalidConfig('not an object');
  const diffIds: unknown = config.rootfs?.diff_ids ?? [];
  if (!Array.isArray(diffIds) || !diffIds.every(id => typeof id === 'string' && isDigest(id))) {
    throw invalidConfig('rootfs.diff_ids is no list of digests');
  }
  return { ...config, rootfs: { type: 'layers', diff_ids: diffIds as Digest[] } };
}

function invalidConfig(reason: string): EngineError {
  return new EngineError('invalid', `invalid image configuration: ${reason}`);
}

function bytesOf({ chainId, sizeBytes, blob }: Layer): { chainId: Digest; bytes: number } {
  return { chainId, bytes: sizeBytes + (blob?.size ?? 0) };
}

/** Under which an image holds its layers and manifests. */
function ownerOf(id: Digest): string {
  return `image:${id}`;
}

function isTagRow(row: { suffix: string }): boolean {
  return row.suffix.startsWith(':');
}

function referenceOf(row: { name: string; suffix: string }): Reference {
  return parseReference(`${row.name}${row.suffix}`);
}

/** How Docker names what it did not find: with `:latest` when neither tag nor digest was written. */
function missingName(text: string): string {
  if (isDigest(text) || isDigest(`sha256:${text}`)) return text;
  return familiarText(withDefaultTag(parseReference(text)));
}
