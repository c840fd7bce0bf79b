import { parseReference, type Reference } from '../distribution/reference.ts';
import { type Digest, digestOf, hexOf } from '../oci/digest.ts';
import type { Descriptor, Index } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import type { ImageArchive } from './archive.ts';
import { compressionOf, parseManifest } from './manifest.ts';
import { chooseManifest, hostPlatform } from './platform.ts';
import type { ManifestRow } from './tables.ts';

/** An image as an archive describes it. Paths are the archive's. */
export interface ArchivedImage {
  config: Buffer;
  /** Base first. */
  layers: string[];
  references: Reference[];
  /** Paths of the manifests that belong to it, by their row. */
  manifests: ManifestRow[];
}

/**
 * What is in an archive: Docker's manifest.json counts before OCI's index.json, which newer Dockers write too.
 * @throws EngineError `invalid` when there is neither.
 */
export function imagesOf(archive: ImageArchive): ArchivedImage[] {
  if (archive.has('manifest.json')) return dockerImages(archive);
  if (archive.has('index.json')) return ociImages(archive);
  throw invalid('neither manifest.json nor index.json is in it');
}

function dockerImages(archive: ImageArchive): ArchivedImage[] {
  const entries = archive.json('manifest.json');
  if (!Array.isArray(entries)) throw invalid('manifest.json is no list');
  const manifests = archive.has('index.json') ? ociManifests(archive) : [];
  return entries.map((entry: unknown) => {
    const { Config, RepoTags, Layers } = (entry ?? {}) as Record<string, unknown>;
    if (typeof Config !== 'string' || !isStrings(Layers ?? []))
      throw invalid('manifest.json has a bad entry');
    const config = archive.bytes(Config);
    const id = digestOf(config);
    const tags = RepoTags ?? [];
    if (!isStrings(tags)) throw invalid('manifest.json has bad RepoTags');
    return {
      config,
      layers: (Layers ?? []) as string[],
      references: tags.map(parseReference).filter(reference => reference.tag !== undefined),
      manifests: manifests.filter(found => found.config === id && isPacked(found)).map(found => found.row),
    };
  });
}

function ociImages(archive: ImageArchive): ArchivedImage[] {
  const images = new Map<Digest, ArchivedImage>();
  for (const found of ociManifests(archive)) {
    const image = images.get(found.config) ?? {
      config: archive.bytes(blobPath(found.config)),
      layers: found.layers.map(layer => blobPath(layer.digest)),
      references: [],
      manifests: isPacked(found) ? [found.row] : [],
    };
    if (found.name !== undefined) image.references.push(found.name);
    images.set(found.config, image);
  }
  return [...images.values()];
}

interface FoundManifest {
  row: ManifestRow;
  config: Digest;
  layers: Descriptor[];
  name: Reference | undefined;
}

/** A manifest of plain layers is not worth keeping: a push compresses them and needs another one. */
function isPacked(found: FoundManifest): boolean {
  return found.layers.every(layer => compressionOf(layer.mediaType) !== 'none');
}

/** The manifests index.json leads to; of an index for several platforms, the one of this machine. */
function ociManifests(archive: ImageArchive): FoundManifest[] {
  const parsed = parseManifest(archive.bytes('index.json'), '');
  if (parsed.kind !== 'index') throw invalid('index.json is no index');
  return parsed.index.manifests.flatMap(entry => {
    const found = followIndex(archive, entry);
    return found === undefined ? [] : [{ ...found, name: nameOf(entry) }];
  });
}

function followIndex(archive: ImageArchive, entry: Descriptor): Omit<FoundManifest, 'name'> | undefined {
  let path = blobPath(entry.digest);
  // Archives of one platform list the manifests of others without having them.
  if (!archive.has(path)) return undefined;
  let parsed = parseManifest(archive.bytes(path), entry.mediaType);
  let { digest } = entry;
  if (parsed.kind === 'index') {
    const chosen = chooseManifest(present(archive, parsed.index), hostPlatform());
    ({ digest } = chosen);
    path = blobPath(digest);
    parsed = parseManifest(archive.bytes(path), chosen.mediaType);
  }
  if (parsed.kind === 'index') throw invalid('an index within an index');
  const row: ManifestRow = { digest, mediaType: parsed.mediaType, kind: 'manifest' };
  return { row, config: parsed.manifest.config.digest, layers: parsed.manifest.layers };
}

function present(archive: ImageArchive, index: Index): Index {
  return { ...index, manifests: index.manifests.filter(entry => archive.has(blobPath(entry.digest))) };
}

/** containerd and Docker write the whole name; of others' ref.name only a whole name is one, a bare tag is not. */
function nameOf(entry: Descriptor): Reference | undefined {
  const { annotations = {} } = entry;
  const name = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
  if (name === undefined || !/[/:]/.test(name)) return undefined;
  const reference = parseReference(name);
  return reference.tag === undefined ? undefined : reference;
}

/** Where an OCI layout has a blob. */
export function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(entry => typeof entry === 'string');
}

function invalid(reason: string): EngineError {
  return new EngineError('invalid', `invalid archive: ${reason}`);
}
