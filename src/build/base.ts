import type { Image } from '../images/store.ts';
import type { Platform } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import type { BuilderOptions } from './builder.ts';
import type { BuildProgress } from './events.ts';
import { formatPlatform, samePlatform } from './platform.ts';
import type { BuildRequest } from './request.ts';

export interface BaseOptions {
  platform: Platform;
  /** An image of another platform is refused. */
  platformWanted: boolean;
  request: BuildRequest;
  progress(progress: BuildProgress): void;
  signal: AbortSignal;
}

/**
 * The image of a FROM or --from: the one that is here, pulled when there is none, when it is of the wrong platform
 * or when the caller wants the newest.
 */
export async function resolveBase(
  reference: string,
  builder: Pick<BuilderOptions, 'images' | 'pullImage'>,
  options: BaseOptions,
): Promise<Image> {
  const { images, pullImage } = builder;
  const context = Object.values(options.request.contexts).find(
    one => one.type === 'image' && one.reference === reference,
  );
  if (context?.type === 'image' && context.bring !== undefined)
    return images.resolve(await context.bring(options.platform, options.signal));
  const fits = (image: Image): boolean =>
    !options.platformWanted || samePlatform(options.platform, image.config);
  const here =
    options.request.namesOnly && !/^sha256:[0-9a-f]{64}$/.test(reference)
      ? images.findNamed(reference)
      : images.find(reference);
  if (here !== undefined && !options.request.pull && fits(here)) return here;
  if (here !== undefined && isExact(reference, here) && fits(here)) return here;
  const { platform, signal, request } = options;
  await pullImage(
    reference,
    { platform, credentials: request.credentials, askCredentials: request.askCredentials },
    options.progress,
    signal,
  );
  const pulled = images.resolve(reference);
  if (fits(pulled)) return pulled;
  const wanted = formatPlatform(options.platform);
  const actual = formatPlatform(pulled.config);
  const message = `image with reference ${reference} was found but does not match the specified platform: wanted ${wanted}, actual: ${actual}`;
  throw new EngineError('notFound', message);
}

/** Named by its id, which cannot be pulled, or by its digest, of which there is no newer version. */
function isExact(reference: string, image: Image): boolean {
  if (reference.includes('@')) return true;
  const hex = reference.replace(/^sha256:/, '');
  return (
    image.id.startsWith(`sha256:${hex}`) && !image.references.some(name => name.startsWith(`${reference}:`))
  );
}
