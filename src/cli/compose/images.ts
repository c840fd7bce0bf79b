import { perform } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import { imageReference } from '../../compose/names.ts';
import type { Project } from '../../compose/project.ts';
import { EngineError, kindOf } from '../../stdx/errors.ts';
import type { Session } from '../session.ts';
import { builtFrom, inBuildOrder } from './build-order.ts';
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
  /** The project's variables: secrets of builds may come from them. */
  environment: ReadonlyMap<string, string>;
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
  names: readonly string[],
  options: ImageOptions,
): Promise<Record<string, ServiceImage>> {
  // What a provider makes is no container.
  const services = names.filter(name => project.services[name]!.provider === undefined);
  const digests = await digestsOf(session, project, services);
  const builds = services.filter(name =>
    isBuilt(project, name, digests.get(imageReference(project, name)), options),
  );
  const pulls = new Map<string, Promise<void>>();
  const prepared = await inBuildOrder(project, services, async name => {
    const reference = imageReference(project, name);
    const there = digests.get(reference);
    const isChanged = await prepareImage(name, reference, there);
    const now = isChanged ? await digestOf(session, reference) : there;
    // What is only said to be pulled or built is not there.
    const digest = now ?? (session.dryRun && isChanged ? '' : undefined);
    if (digest === undefined) throw new EngineError('notFound', `No such image: ${reference}`);
    return { reference, digest };
  });
  return Object.fromEntries(services.map(name => [name, prepared[name]!]));

  /** @returns whether it may be another one now */
  async function prepareImage(name: string, reference: string, there: string | undefined): Promise<boolean> {
    const { build, platform = '' } = project.services[name]!;
    if (isBuilt(project, name, there, options)) {
      if (!options.mayBuild) {
        if (there !== undefined) return false;
        throw new EngineError(
          'notFound',
          `image ${reference} of service ${name} is not there, and --no-build forbids to build it`,
        );
      }
      const { buildImage } = await import('./build-image.ts');
      await buildImage(session, project, name, {
        reference,
        progress: options.progress,
        environment: options.environment,
        quiet: options.quietBuild,
        isAlone: builds.length < 2,
      });
      return true;
    }
    const policy = policyOf(project, name, options);
    const isPulled = policy === 'always' || (there === undefined && policy !== 'never' && policy !== 'build');
    if (build !== undefined || !isPulled) return false;
    const key = `${reference} ${platform}`;
    const { progress, quietPull: quiet } = options;
    // Services with one image have it pulled once.
    if (!pulls.has(key))
      pulls.set(key, pullForService(session, name, reference, { platform, progress, quiet }));
    await pulls.get(key);
    return true;
  }
}

function isBuilt(project: Project, name: string, there: string | undefined, options: ImageOptions): boolean {
  if (project.services[name]!.build === undefined) return false;
  return options.build || there === undefined || policyOf(project, name, options) === 'build';
}

function policyOf(project: Project, name: string, { pull }: ImageOptions): string {
  return pull ?? project.services[name]!.pull_policy ?? 'missing';
}

/** Of all images at once, by reference. */
async function digestsOf(
  session: Session,
  project: Project,
  services: readonly string[],
): Promise<Map<string, string | undefined>> {
  const all = services.flatMap(name => [name, ...builtFrom(project, name)]);
  const references = [...new Set(all.map(name => imageReference(project, name)))];
  return new Map(
    await Promise.all(
      references.map(async reference => [reference, await digestOf(session, reference)] as const),
    ),
  );
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
