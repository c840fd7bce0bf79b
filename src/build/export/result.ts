import type { ImageConfig, Platform } from '../../oci/image.ts';
import type { Layer } from '../../storage/layers.ts';
import type { Attestation } from '../attest/statement.ts';
import { formatPlatform, samePlatform } from '../platform.ts';

/** What was built for one platform. */
export interface BuiltImage {
  platform: Platform;
  /** Without its layers. */
  config: Omit<ImageConfig, 'rootfs'>;
  layers: readonly Layer[];
  /** Those of them that are not the base image's. */
  ownLayers: readonly Layer[];
  attestations: readonly Attestation[];
}

/** What was built, for all platforms that were asked for. */
export interface BuildResult {
  /** At least one, in the order asked for. */
  images: readonly BuiltImage[];
  /** It is an index, and files go into a folder for each platform. */
  several: boolean;
  /** The machine's own platform. */
  own: Platform;
  /** When the files it was built from were committed. */
  commitMs?: number | undefined;
}

/** The one that can run here, else the first: the result's names lead to it. */
export function mainImage({ images, own }: BuildResult): BuiltImage {
  return images.find(({ platform }) => samePlatform(own, platform)) ?? images[0]!;
}

/** `linux_arm64`, as BuildKit names the folders of platforms. */
export function platformFolder({ platform }: BuiltImage): string {
  return formatPlatform(platform).replaceAll('/', '_');
}
