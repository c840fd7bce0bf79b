import type { Readable } from 'node:stream';
import type { TarWriter } from '../archive/tar-writer.ts';
import { familiarName, familiarText, parseReference, withDefaultTag } from '../distribution/reference.ts';
import { type Digest, digestOf, hexOf, isDigest } from '../oci/digest.ts';
import type { Descriptor, Index, Manifest } from '../oci/image.ts';
import { mediaTypes } from '../oci/media-types.ts';
import { EngineError } from '../stdx/errors.ts';
import type { Layer } from '../storage/layers.ts';
import { blobPath } from './archived-images.ts';
import { type KeptIndex, type KeptManifest, keptIndex, keptManifest } from './kept-manifests.ts';
import { compressionOf } from './manifest.ts';
import { type OtherManifest, otherThanOwn } from './other-platforms.ts';
import type { ImageServices } from './services.ts';
import type { Image } from './store.ts';
import { tarStream } from './tar-stream.ts';

/**
 * A tar of images that both kinds of readers understand: an OCI layout, with Docker's manifest.json and
 * repositories beside it, as Docker writes it since 25.0:
 *
 *     blobs/sha256/<64 hex>    configurations, manifests and layers
 *     index.json               OCI: the manifests, with their names as annotations
 *     manifest.json            docker load: [{Config, RepoTags, Layers}], paths into blobs/
 *     oci-layout
 *     repositories             Docker before 1.10: {name: {tag: id}}
 *
 * Layers are as they came, compressed or not, or plain tars. Saving the same images twice gives the same bytes.
 *
 * An image that came in an index is saved with it, and with what it says of the image (attestations); manifests of
 * other platforms are listed in it and are not there.
 *
 * @param texts names and ids; a name without a tag means all its tags.
 * @param platform `linux/amd64`: that of an index is saved, without the index. undefined: not asked.
 * @throws EngineError `notFound` in dockerd's words, before the stream begins.
 */
export async function saveImages(
  services: ImageServices,
  texts: string[],
  platform?: string,
): Promise<Readable> {
  const exports = planExports(services, texts);
  for (const entry of exports) {
    const { image, tags } = entry;
    entry.other = await otherThanOwn(services, image, platform, tags[0] ?? image.id);
  }
  const lease = services.images.leases.take(`save:${crypto.randomUUID()}`);
  for (const { image, other } of exports) {
    if (image.chainId !== undefined) lease.holdLayer(image.chainId);
    for (const { digest } of other === undefined ? [] : blobsOf(other)) lease.holdBlob(digest);
  }
  const output = tarStream(tar => new Save(services, tar, platform !== undefined).run(exports));
  output.once('close', () => {
    lease.release().catch(error => services.log.error({ err: error }, 'letting go of saved images'));
  });
  return output;
}

interface Export {
  image: Image;
  /** Familiar names with tags; empty when saved by id. */
  tags: string[];
  /** What its index has for the platform asked for, when that is not the image's own. */
  other?: OtherManifest | undefined;
}

function idOf({ image, other }: Export): Digest {
  return other?.manifest.config.digest ?? image.id;
}

function blobsOf({ manifest }: OtherManifest): Descriptor[] {
  return [manifest.config, ...manifest.layers];
}

/** moby's parseNames (image/tarexport/save.go). */
function planExports({ images }: ImageServices, texts: string[]): Export[] {
  const exports = new Map<Digest, Export>();
  const put = (image: Image, tag?: string) => {
    const entry = exports.get(image.id) ?? { image, tags: [] };
    if (tag !== undefined && !entry.tags.includes(tag)) entry.tags.push(tag);
    exports.set(image.id, entry);
  };
  for (const text of texts) {
    const byId = isDigest(text) || isDigest(`sha256:${text}`) ? images.resolve(text) : undefined;
    if (byId !== undefined) {
      put(byId);
      continue;
    }
    const reference = parseReference(text);
    const tags = images.tagsOf(reference);
    if (reference.tag === undefined && reference.digest === undefined && tags.length > 0) {
      for (const { tag, imageId } of tags) put(images.get(imageId)!, familiarText({ ...reference, tag }));
      continue;
    }
    const image = images.find(text);
    if (image === undefined) throw missing(text);
    const name = familiarText(withDefaultTag(reference));
    put(image, image.references.includes(name) ? name : undefined);
  }
  return [...exports.values()];
}

function missing(text: string): EngineError {
  const reference = parseReference(text);
  if (reference.tag === undefined && reference.digest === undefined) {
    return new EngineError('notFound', `No such image: ${text}`);
  }
  return new EngineError('notFound', 'reference does not exist');
}

/** One entry of manifest.json. */
interface DockerManifestEntry {
  Config: string;
  RepoTags: string[] | null;
  Layers: string[];
}

class Save {
  readonly #services: ImageServices;
  readonly #tar: TarWriter;
  /** Without the indexes they came in. */
  readonly #alone: boolean;
  readonly #written = new Set<Digest>();

  constructor(services: ImageServices, tar: TarWriter, alone: boolean) {
    this.#services = services;
    this.#tar = tar;
    this.#alone = alone;
  }

  async run(exports: Export[]): Promise<void> {
    await this.#tar.add({ name: 'blobs', type: 'directory' });
    await this.#tar.add({ name: 'blobs/sha256', type: 'directory' });
    const entries: DockerManifestEntry[] = [];
    const index: Index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
    for (const entry of exports) {
      const { image, tags, other } = entry;
      const { manifest, layers } =
        other === undefined ? await this.#saveImage(image) : await this.#saveOther(other);
      entries.push({
        Config: blobPath(idOf(entry)),
        RepoTags: tags.length === 0 ? null : tags,
        Layers: layers,
      });
      if (tags.length === 0) index.manifests.push(manifest);
      for (const tag of tags) index.manifests.push({ ...manifest, annotations: namesOf(tag) });
    }
    await this.#addJson('index.json', index);
    await this.#addJson('manifest.json', entries);
    await this.#addJson('oci-layout', { imageLayoutVersion: '1.0.0' });
    await this.#addJson('repositories', repositoriesOf(exports));
  }

  async #saveImage(image: Image): Promise<{ manifest: Descriptor; layers: string[] }> {
    const { images, storage } = this.#services;
    const chain = image.chainId === undefined ? [] : storage.layers.chain(image.chainId);
    const layers: Descriptor[] = [];
    for (const layer of chain) layers.push(await this.#saveLayer(layer));
    const config = images.configBytes(image.id);
    await this.#addBlob(image.id, config);
    const kept = await keptManifest(this.#services, image.id, layers);
    const manifest = kept ?? newManifest(image, config, layers);
    await this.#addBlob(manifest.digest, manifest.bytes);
    const index = kept === undefined || this.#alone ? undefined : await this.#saveIndex(image, kept);
    const { mediaType, digest, bytes } = index ?? manifest;
    return {
      manifest: { mediaType, digest, size: bytes.length },
      layers: layers.map(layer => blobPath(layer.digest)),
    };
  }

  async #saveOther(other: OtherManifest): Promise<{ manifest: Descriptor; layers: string[] }> {
    const { blobs } = this.#services.storage;
    for (const { digest, size } of blobsOf(other))
      await this.#addStream(digest, size, () => blobs.stream(digest));
    const { mediaType, digest, bytes, manifest } = other;
    await this.#addBlob(digest, bytes);
    return {
      manifest: { mediaType, digest, size: bytes.length },
      layers: manifest.layers.map(layer => blobPath(layer.digest)),
    };
  }

  async #saveIndex(image: Image, manifest: KeptManifest): Promise<KeptIndex | undefined> {
    const index = await keptIndex(this.#services, image, manifest.digest);
    if (index === undefined) return undefined;
    const { blobs: store } = this.#services.storage;
    for (const { manifest: other, blobs } of index.others) {
      for (const { digest, size } of blobs) await this.#addStream(digest, size, () => store.stream(digest));
      await this.#addBlob(other.digest, other.bytes);
    }
    await this.#addBlob(index.digest, index.bytes);
    return index;
  }

  /** As it came; else the tar it was made of. */
  async #saveLayer(layer: Layer): Promise<Descriptor> {
    const { blobs, layers } = this.#services.storage;
    const { blob } = layer;
    if (blob !== undefined && blobs.has(blob.digest)) {
      await this.#addStream(blob.digest, blob.size, () => blobs.stream(blob.digest));
      const mediaType = ociLayerTypes[compressionOf(blob.mediaType)];
      return { mediaType, digest: blob.digest, size: blob.size };
    }
    const size = await this.#tarSize(layer);
    await this.#addStream(layer.diffId, size, () => layers.tar(layer.chainId));
    return { mediaType: mediaTypes.ociLayer, digest: layer.diffId, size };
  }

  /** A tar's header comes before its content, so the length must be known before: the layer is read twice. */
  async #tarSize(layer: Layer): Promise<number> {
    let size = 0;
    for await (const chunk of this.#services.storage.layers.tar(layer.chainId))
      size += (chunk as Buffer).length;
    return size;
  }

  async #addBlob(digest: Digest, bytes: Buffer): Promise<void> {
    await this.#addStream(digest, bytes.length, () => [bytes]);
  }

  async #addStream(
    digest: Digest,
    size: number,
    open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    if (this.#written.has(digest)) return;
    this.#written.add(digest);
    await this.#tar.addStream({ name: blobPath(digest), type: 'file', size }, open());
  }

  async #addJson(name: string, value: unknown): Promise<void> {
    await this.#tar.add({ name, type: 'file' }, `${JSON.stringify(value)}\n`);
  }
}

const ociLayerTypes = {
  none: mediaTypes.ociLayer,
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
};

function newManifest(image: Image, config: Buffer, layers: Descriptor[]): KeptManifest {
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: image.id, size: config.length },
    layers,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  return { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), bytes };
}

/** By which containerd and OCI tools know a manifest's name. */
function namesOf(tag: string): Record<string, string> {
  const reference = parseReference(tag);
  return {
    'io.containerd.image.name': `${reference.registry}/${reference.repository}:${reference.tag}`,
    'org.opencontainers.image.ref.name': reference.tag!,
  };
}

function repositoriesOf(exports: Export[]): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {};
  for (const entry of exports) {
    for (const tag of entry.tags) {
      const reference = parseReference(tag);
      const name = familiarName(reference);
      repositories[name] ??= {};
      repositories[name][reference.tag!] = hexOf(idOf(entry));
    }
  }
  return repositories;
}
