import { type Digest, isDigest } from '../oci/digest.ts';
import type { Descriptor, Index, Manifest } from '../oci/image.ts';
import { isIndex, isManifest, type LayerCompression, mediaTypes } from '../oci/media-types.ts';
import { EngineError } from '../stdx/errors.ts';

/** A manifest or an index, checked, with the media type it goes by. */
export type ParsedManifest =
  | { kind: 'manifest'; mediaType: string; manifest: Manifest }
  | { kind: 'index'; mediaType: string; index: Index };

/** More layers than overlayfs can stack; a manifest with more is not worth reading on. */
const maxLayers = 500;

/**
 * Reads what a registry or an archive calls a manifest.
 * @param mediaType as it was announced; the content's own word is taken when that says nothing.
 * @throws EngineError `invalid`, `notImplemented` for schema 1.
 */
export function parseManifest(bytes: Buffer, mediaType: string): ParsedManifest {
  const parsed = parseObject(bytes);
  if (parsed['schemaVersion'] === 1) {
    throw new EngineError(
      'notImplemented',
      'Docker Image Format v1 and Docker Image manifest version 2, schema 1 are not supported: push the image again with a newer Docker',
    );
  }
  const type = isIndex(mediaType) || isManifest(mediaType) ? mediaType : typeOf(parsed);
  if (isIndex(type)) {
    const manifests = descriptors(parsed['manifests'], 'manifests');
    return { kind: 'index', mediaType: type, index: { ...(parsed as unknown as Index), manifests } };
  }
  if (isManifest(type)) {
    // The same bytes may not be an index and a manifest, depending on who looks (CVE-2021-41190).
    if (parsed['manifests'] !== undefined) throw invalid('a manifest with a list of manifests');
    const config = descriptor(parsed['config'], 'config');
    const layers = descriptors(parsed['layers'], 'layers');
    if (layers.length > maxLayers) throw invalid(`${layers.length} layers`);
    return {
      kind: 'manifest',
      mediaType: type,
      manifest: { ...(parsed as unknown as Manifest), config, layers },
    };
  }
  throw invalid(`unsupported media type "${mediaType || type}"`);
}

/** How a layer is packed. @throws EngineError `notImplemented` for types that are no layers of a file system. */
export function compressionOf(mediaType: string): LayerCompression {
  switch (mediaType) {
    case mediaTypes.dockerLayer:
    case mediaTypes.ociLayer:
    case mediaTypes.dockerForeignLayer:
    case mediaTypes.ociForeignLayer:
      return 'none';
    case mediaTypes.dockerLayerGzip:
    case mediaTypes.ociLayerGzip:
    case mediaTypes.dockerForeignLayerGzip:
    case mediaTypes.ociForeignLayerGzip:
      return 'gzip';
    case mediaTypes.dockerLayerZstd:
    case mediaTypes.ociLayerZstd:
    case mediaTypes.ociForeignLayerZstd:
      return 'zstd';
    default:
      throw new EngineError('notImplemented', `layer of type "${mediaType}"`);
  }
}

export const isImageConfig = (mediaType: string): boolean =>
  mediaType === mediaTypes.dockerConfig || mediaType === mediaTypes.ociConfig;

function typeOf(parsed: Record<string, unknown>): string {
  const own = parsed['mediaType'];
  if (typeof own === 'string') return own;
  if (Array.isArray(parsed['manifests'])) return mediaTypes.ociIndex;
  return Array.isArray(parsed['layers']) ? mediaTypes.ociManifest : '';
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new EngineError('invalid', 'invalid manifest: not JSON', { cause: error });
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) throw invalid('not an object');
  return parsed as Record<string, unknown>;
}

function descriptors(value: unknown, name: string): Descriptor[] {
  if (!Array.isArray(value)) throw invalid(`no ${name}`);
  return value.map(entry => descriptor(entry, name));
}

function descriptor(value: unknown, name: string): Descriptor {
  const { digest, size, mediaType } = (value ?? {}) as Partial<Record<keyof Descriptor, unknown>>;
  if (typeof digest !== 'string' || !isDigest(digest)) throw invalid(`bad digest in ${name}`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalid(`bad size in ${name}`);
  if (typeof mediaType !== 'string') throw invalid(`no media type in ${name}`);
  return { ...(value as Descriptor), digest: digest as Digest, size, mediaType };
}

function invalid(reason: string): EngineError {
  return new EngineError('invalid', `invalid manifest: ${reason}`);
}
