import type { Platform } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import { matchesPlatform, parsePlatform, platformText } from './platform.ts';
import type { Image } from './store.ts';

/**
 * An image is kept for one platform: whoever asks for one by name must mean that.
 * @param wanted `linux/arm64`; undefined: any.
 * @throws EngineError `notFound` in dockerd's words.
 */
export function needPlatform(image: Image, wanted: string | undefined, shown: string): void {
  if (wanted === undefined) return;
  const platform = parsePlatform(wanted);
  if (matchesPlatform(platformOf(image), platform)) return;
  throw new EngineError(
    'notFound',
    `image with reference ${shown} was found but does not provide the specified platform (${platformText(platform)})`,
  );
}

export function platformOf({ config }: Image): Platform {
  const { os, architecture, variant } = config;
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}
