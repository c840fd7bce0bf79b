import { perform } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import type { Project } from '../../compose/project.ts';
import { EngineError, kindOf } from '../../stdx/errors.ts';
import type { Session } from '../session.ts';
import { buildImage, imageReference } from './build-image.ts';
import type { Progress } from './progress/progress.ts';
import { pullForService } from './progress/pull-display.ts';

export interface ImageOptions {
  /** `--build`: built whether there is an image or not. */
  build: boolean;
  /** `--no-build` */
  mayBuild: boolean;
  /** `--pull`: `always`, `missing`, `never`; undefined: as each service says. */
  pull: string | undefined;
  quietPull: boolean;
  quietBuild: boolean;
  progress: Progress;
}

export interface ServiceImage {
  reference: string;
  digest: string;
}

/**
 * Sees to it that the images of services are there: builds what has a `build`, pulls the others.
 * @returns them, by service
 */
export async function prepareImages(
  session: Session,
  project: Project,
  services: readonly string[],
  options: ImageOptions,
): Promise<Record<string, ServiceImage>> {
  const images: Record<string, ServiceImage> = {};
  for (const name of services) {
    const reference = imageReference(project, name);
    images[name] = { reference, digest: await prepareImage(session, project, name, reference, options) };
  }
  return images;
}

async function prepareImage(
  session: Session,
  project: Project,
  name: string,
  reference: string,
  options: ImageOptions,
): Promise<string> {
  const { build, platform = '', pull_policy } = project.services[name]!;
  const policy = options.pull ?? pull_policy ?? 'missing';
  const there = await digestOf(session, reference);
  const pulls = policy === 'always' || (there === undefined && policy !== 'never' && policy !== 'build');
  if (build !== undefined && (options.build || policy === 'build' || there === undefined)) {
    if (!options.mayBuild) {
      if (there !== undefined) return there;
      throw new EngineError(
        'notFound',
        `image ${reference} of service ${name} is not there, and --no-build forbids to build it`,
      );
    }
    await buildImage(session, project, name, {
      reference,
      progress: options.progress,
      quiet: options.quietBuild,
    });
  } else if (build === undefined && pulls) {
    await pullForService(session, name, reference, {
      platform,
      progress: options.progress,
      quiet: options.quietPull,
    });
  }
  const digest = await digestOf(session, reference);
  if (digest === undefined) throw new EngineError('notFound', `No such image: ${reference}`);
  return digest;
}

/** @returns undefined when there is no such image */
export async function digestOf(session: Session, name: string): Promise<string | undefined> {
  try {
    return (await perform(await session.client(), imageOperations.inspect, { path: { name } })).Id;
  } catch (error) {
    if (kindOf(error) === 'notFound' || (error as { status?: number }).status === 404) return undefined;
    throw error;
  }
}
