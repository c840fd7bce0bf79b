import { otherPlatform } from '../images/other-platforms.ts';
import { pullAside } from '../images/pull-aside.ts';
import type { Image } from '../images/store.ts';
import type { Digest } from '../oci/digest.ts';
import type { Platform } from '../oci/image.ts';
import { EngineError } from '../stdx/errors.ts';
import type { KeyedMutex } from '../stdx/mutex.ts';
import type { BuilderOptions } from './builder.ts';
import type { BuildProgress } from './events.ts';
import { formatPlatform, samePlatform } from './platform.ts';
import type { BuildRequest } from './request.ts';

export interface BaseOptions {
  platform: Platform;
  /** The machine's own: its images keep their names. */
  ownPlatform: Platform;
  /** An image of another platform is refused. */
  platformWanted: boolean;
  request: BuildRequest;
  /** One pull of a name at a time: builds for several platforms want several of its images. */
  pulls: KeyedMutex;
  /** Keeps a layer for the build. */
  holdLayer(chainId: Digest): void;
  progress(progress: BuildProgress): void;
  signal: AbortSignal;
}

/**
 * The image of a FROM or --from: the one that is here, pulled when there is none, when it is of the wrong platform
 * or when the caller wants the newest.
 */
export async function resolveBase(reference: string, builder: Builder, options: BaseOptions): Promise<Image> {
  const { images } = builder;
  const context = Object.values(options.request.contexts).find(
    one => one.type === 'image' && one.reference === reference,
  );
  const image =
    context?.type === 'image' && context.bring !== undefined
      ? images.resolve(await context.bring(options.platform, options.signal))
      : (findHere(reference, builder, options).fitting ??
        (await options.pulls.run(reference, () => findOrPull(reference, builder, options))));
  hold(image, options);
  return image;
}

type Builder = Pick<BuilderOptions, 'images' | 'storage' | 'pullImage'>;

function hold({ chainId }: Image, { holdLayer }: BaseOptions): void {
  if (chainId !== undefined) holdLayer(chainId);
}

function fits(image: Image, { platform, platformWanted }: BaseOptions): boolean {
  return !platformWanted || samePlatform(platform, image.config);
}

/** `fitting` is the same when nothing newer is wanted, or can be. */
function findHere(
  reference: string,
  { images }: Builder,
  options: BaseOptions,
): { here: Image | undefined; fitting: Image | undefined } {
  const here =
    options.request.namesOnly && !/^sha256:[0-9a-f]{64}$/.test(reference)
      ? images.findNamed(reference)
      : images.find(reference);
  const final = here !== undefined && (!options.request.pull || isExact(reference, here));
  return { here, fitting: final && fits(here, options) ? here : undefined };
}

async function findOrPull(reference: string, builder: Builder, options: BaseOptions): Promise<Image> {
  const { images, pullImage } = builder;
  const { here, fitting } = findHere(reference, builder, options);
  if (fitting !== undefined) return fitting;
  const { platform, signal, request } = options;
  if (here !== undefined && !options.request.pull) {
    const beside = await otherPlatform(builder, here, options);
    if (beside !== undefined) return beside;
  }
  const pull = () =>
    pullImage(
      reference,
      { platform, credentials: request.credentials, askCredentials: request.askCredentials },
      options.progress,
      signal,
    );
  const aside = here !== undefined && !fits(here, options) && !samePlatform(options.ownPlatform, platform);
  if (!aside) await pull();
  const pulled = aside
    ? await pullAside(images, reference, pull, image => hold(image, options))
    : images.resolve(reference);
  if (fits(pulled, options)) return pulled;
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
