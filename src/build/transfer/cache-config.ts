import { type Digest, isDigest } from '../../oci/digest.ts';
import type { Descriptor, Manifest } from '../../oci/image.ts';
import { mediaTypes } from '../../oci/media-types.ts';
import { EngineError } from '../../stdx/errors.ts';

/** The configuration of an exported cache's manifest; its `layers` are those of the manifest. */
export const cacheConfigType = 'application/vnd.gantry.buildcache.config.v1+json';

/** The member of an image's configuration that makes it a cache, too; `layer` counts the image's own layers. */
export const inlineMember = 'gantry.buildcache';

/** What a step made, as it goes out. */
export interface ExportedStep {
  key: Digest;
  createdMs: number;
  description: string;
  /** Index among the layers; null: the step changed no file. */
  layer: number | null;
}

export interface ExportedMount {
  id: string;
  /** Index among the layers: a tar of the directory's content. */
  layer: number;
  permissions: number;
  uid: number;
  gid: number;
}

export interface CacheConfig {
  version: 1;
  /** Uncompressed digests, one for each layer of the manifest. */
  diffIds: Digest[];
  steps: ExportedStep[];
  mounts: ExportedMount[];
}

/** What an importer knows of a step. */
export interface OfferedStep extends Omit<ExportedStep, 'layer'> {
  layer?: { blob: Descriptor; diffId: Digest };
}

export interface Offer {
  steps: OfferedStep[];
  mounts: { mount: ExportedMount; blob: Descriptor }[];
}

/** Reads the configuration of a cache, or of an image with an inline cache. @throws EngineError `invalid` */
export function readOffer(manifest: Manifest, config: unknown): Offer {
  const read =
    manifest.config.mediaType === cacheConfigType ? readCacheConfig(config) : readInlineConfig(config);
  const layerAt = (index: unknown) => {
    const blob = manifest.layers[Number(index)];
    const diffId = read.diffIds[Number(index)];
    if (blob === undefined || diffId === undefined || !isDigest(diffId))
      throw new EngineError('invalid', 'the cache names a layer it does not have');
    return { blob, diffId };
  };
  return {
    steps: read.steps.map(({ layer, ...step }) => {
      if (!isDigest(step.key)) throw new EngineError('invalid', 'the cache has a step without a key');
      return { ...step, ...(layer === null ? {} : { layer: layerAt(layer) }) };
    }),
    mounts: read.mounts.map(mount => ({ mount, blob: layerAt(mount.layer).blob })),
  };
}

function readCacheConfig(config: unknown): CacheConfig {
  const { version, diffIds, steps, mounts } = config as Partial<CacheConfig>;
  if (version !== 1 || !Array.isArray(diffIds) || !Array.isArray(steps) || !Array.isArray(mounts))
    throw new EngineError('invalid', 'the cache is of a version this daemon does not know');
  return { version, diffIds, steps, mounts };
}

function readInlineConfig(config: unknown): CacheConfig {
  const { rootfs, [inlineMember]: steps } = config as {
    rootfs?: { diff_ids?: Digest[] };
    [inlineMember]?: ExportedStep[];
  };
  return {
    version: 1,
    diffIds: rootfs?.diff_ids ?? [],
    steps: Array.isArray(steps) ? steps : [],
    mounts: [],
  };
}

/** The manifest of an exported cache, and its configuration. */
export function writeManifest(
  config: CacheConfig,
  configBlob: { digest: Digest; size: number },
  layers: readonly Descriptor[],
): Manifest {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: cacheConfigType, ...configBlob },
    layers: layers.slice(0, config.diffIds.length),
  };
}
