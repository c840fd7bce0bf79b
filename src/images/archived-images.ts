import { parseReference, type Reference } from '../distribution/reference.ts';
import { type Digest, digestOf, hexOf } from '../oci/digest.ts';
import type { Descriptor, Index, Platform } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import type { ImageArchive } from './archive.ts';
import { attestedManifest } from './attestations.ts';
import { compressionOf, isImageConfig, type ParsedManifest, parseManifest } from './manifest.ts';
import { chooseManifest } from './platform.ts';
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
 * @param platform which of an index's images is meant.
 * @throws EngineError `invalid` when there is neither, `notFound` when there is none for the platform.
 */
export function imagesOf(archive: ImageArchive, platform: Platform): ArchivedImage[] {
  if (archive.has('manifest.json')) return dockerImages(archive, platform);
  if (archive.has('index.json')) return ociImages(archive, platform);
  throw invalid('neither manifest.json nor index.json is in it');
}

function dockerImages(archive: ImageArchive, platform: Platform): ArchivedImage[] {
  const entries = archive.json('manifest.json');
  if (!Array.isArray(entries)) throw invalid('manifest.json is no list');
  const manifests = archive.has('index.json') ? ociManifests(archive, platform) : [];
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
      manifests: manifests
        .filter(found => found.config === id && isPacked(found))
        .flatMap(found => found.rows),
    };
  });
}

function ociImages(archive: ImageArchive, platform: Platform): ArchivedImage[] {
  const images = new Map<Digest, ArchivedImage>();
  for (const found of ociManifests(archive, platform)) {
    const image = images.get(found.config) ?? {
      config: archive.bytes(blobPath(found.config)),
      layers: found.layers.map(layer => blobPath(layer.digest)),
      references: [],
      manifests: isPacked(found) ? found.rows : [],
    };
    if (found.name !== undefined) image.references.push(found.name);
    images.set(found.config, image);
  }
  return [...images.values()];
}

interface FoundManifest {
  /** The manifest's; then its index's, and those of what else the index lists. */
  rows: ManifestRow[];
  config: Digest;
  layers: Descriptor[];
  name: Reference | undefined;
}

/** A manifest of plain layers is not worth keeping: a push compresses them and needs another one. */
function isPacked(found: FoundManifest): boolean {
  return found.layers.every(layer => compressionOf(layer.mediaType) !== 'none');
}

/** The manifests index.json leads to; of an index for several platforms, the one of the platform wanted. */
function ociManifests(archive: ImageArchive, platform: Platform): FoundManifest[] {
  const parsed = parseManifest(archive.bytes('index.json'), '');
  if (parsed.kind !== 'index') throw invalid('index.json is no index');
  return parsed.index.manifests.flatMap(entry => {
    const found = followIndex(archive, entry, platform);
    return found === undefined ? [] : [{ ...found, name: nameOf(entry) }];
  });
}

function followIndex(
  archive: ImageArchive,
  entry: Descriptor,
  platform: Platform,
): Omit<FoundManifest, 'name'> | undefined {
  // Archives of one platform list the manifests of others without having them.
  if (!archive.has(blobPath(entry.digest))) return undefined;
  const first = readManifest(archive, entry);
  if (first.kind === 'manifest') {
    // What is no image, such as an attestation beside it, is not loaded by itself.
    if (!isImageConfig(first.manifest.config.mediaType)) return undefined;
    const row: ManifestRow = { digest: entry.digest, mediaType: first.mediaType, kind: 'manifest' };
    return { rows: [row], config: first.manifest.config.digest, layers: first.manifest.layers };
  }
  const { index } = first;
  const chosen = chooseManifest(present(archive, index), platform);
  const second = readManifest(archive, chosen);
  if (second.kind === 'index') throw invalid('an index within an index');
  const { config, layers } = second.manifest;
  const rows: ManifestRow[] = [
    { digest: chosen.digest, mediaType: second.mediaType, kind: 'manifest' },
    { digest: entry.digest, mediaType: first.mediaType, kind: 'index' },
    ...index.manifests.flatMap(other => (other.digest === chosen.digest ? [] : otherRows(archive, other))),
  ];
  return { rows, config: config.digest, layers };
}

/** What else an index lists: attestations, other platforms. Nothing, when not all of it is in the archive. */
function otherRows(archive: ImageArchive, entry: Descriptor): ManifestRow[] {
  if (!archive.has(blobPath(entry.digest))) return [];
  const parsed = readManifest(archive, entry);
  if (parsed.kind === 'index') return [];
  const blobs = [parsed.manifest.config, ...parsed.manifest.layers];
  if (!blobs.every(({ digest }) => archive.has(blobPath(digest)))) return [];
  return [
    {
      digest: entry.digest,
      mediaType: parsed.mediaType,
      kind: attestedManifest(entry) === undefined ? 'other' : 'attestation',
    },
    ...blobs.map(({ digest, mediaType }) => ({ digest, mediaType, kind: 'blob' as const })),
  ];
}

function readManifest(archive: ImageArchive, { digest, mediaType, size }: Descriptor): ParsedManifest {
  const bytes = archive.bytes(blobPath(digest));
  if (bytes.length !== size) throw invalid(`${blobPath(digest)} has ${bytes.length} bytes, not ${size}`);
  return parseManifest(bytes, mediaType);
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
