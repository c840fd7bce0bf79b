import type { Readable } from 'node:stream';
import { decompress } from '../archive/compression.ts';
import { parseReference, withDefaultTag } from '../distribution/reference.ts';
import type { ImageConfig, ImageRunConfig } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import { hostPlatform, parsePlatform } from './platform.ts';
import type { ImageServices } from './services.ts';
import type { Image } from './store.ts';

export interface ImportOptions {
  /** `name` or `name:tag`; undefined: no name. */
  reference?: string;
  message?: string;
  platform?: string;
  /** The configuration after `--change` instructions, which the caller has parsed (build/changes.ts). */
  config?: ImageRunConfig;
}

/**
 * Makes an image of one layer from a tar of a file system, plain or compressed.
 * @throws EngineError `invalid`.
 */
export async function importImage(
  services: ImageServices,
  tar: Readable,
  options: ImportOptions,
  signal: AbortSignal,
): Promise<Image> {
  const { images, storage } = services;
  // Everything that can be wrong is found before the archive is read.
  const reference =
    options.reference === undefined ? undefined : withDefaultTag(parseReference(options.reference));
  if (reference?.digest !== undefined) {
    throw new EngineError('invalid', 'cannot import digest reference');
  }
  const platform = options.platform ? parsePlatform(options.platform) : hostPlatform();
  if (platform.os !== 'linux') throw new EngineError('invalid', 'operating system is not supported');
  const lease = images.leases.take(`import:${crypto.randomUUID()}`);
  try {
    const layer = await storage.layers.apply({ source: await decompress(tar), owner: lease.owner, signal });
    lease.holdLayer(layer.chainId);
    const created = new Date().toISOString();
    const comment = options.message ?? '';
    const config: Omit<ImageConfig, 'rootfs'> = {
      created,
      architecture: platform.architecture,
      ...(platform.variant === undefined ? {} : { variant: platform.variant }),
      os: platform.os,
      comment,
      config: options.config ?? {},
      history: [{ created, comment }],
    };
    const image = await images.create(config, { layers: [layer] });
    if (options.reference !== undefined) images.tag(image.id, options.reference);
    return images.get(image.id)!;
  } finally {
    await lease.release();
  }
}
