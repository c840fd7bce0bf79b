import { act } from '../../client/operation.ts';
import { imageOperations } from '../../client/operations.ts';
import type { Loaded } from '../../compose/load/load.ts';
import { imageReference } from '../../compose/names.ts';
import { observe } from '../../compose/observe.ts';
import type { ObservedContainer } from '../../compose/observed.ts';
import { type DownOptions, planDown } from '../../compose/plan/down.ts';
import type { Project } from '../../compose/project.ts';
import { EngineError, kindOf } from '../../stdx/errors.ts';
import type { Call } from '../command.ts';
import { splitReference } from '../references.ts';
import { carryOut } from './carry-out.ts';
import { digestOf } from './images.ts';
import { loadNamedProject, namedSources } from './load-project.ts';
import { openProgress } from './progress/open-progress.ts';
import { takeBack } from './providers.ts';

export type RemovedImages = 'local' | 'all';

export interface TakeDownOptions extends Omit<DownOptions, 'remove'> {
  /** `local`: those without a name of their own. */
  images?: RemovedImages | undefined;
  stopTimeout?: number | undefined;
}

/** Takes a project away, or some of its services. With -p its files are not needed. */
export async function takeDown(
  call: Pick<Call, 'session' | 'groupFlags'>,
  { images, stopTimeout, ...options }: TakeDownOptions,
): Promise<void> {
  const { session } = call;
  const { name, project, loaded } = projectOrName(call, options.services);
  const client = await session.client();
  const observed = await observe(client, name, project);
  const plan = planDown(name, project, observed, { ...options, remove: true });
  const references =
    images === undefined ? [] : imagesToRemove(observed.containers, loaded, images, options.services);
  const isProvided = Object.values(loaded.project.services).some(({ provider }) => provider !== undefined);
  if (plan.length === 0 && references.length === 0 && !isProvided)
    session.err.line(`Warning: No resource found to remove for project "${name}".`);
  const progress = openProgress(call);
  try {
    await carryOut(session, loaded, plan, { observed, stopTimeout, progress });
    const services = options.services.length > 0 ? options.services : Object.keys(loaded.project.services);
    const { environment } = loaded.sources;
    await takeBack(session, loaded.project, { services, environment, progress });
    await Promise.all(
      references.map(async reference => {
        const id = `Image ${reference}`;
        progress.tell({ id, status: 'Removing', state: 'working' });
        progress.tell({ id, status: await removed(reference), state: 'done' });
      }),
    );
  } finally {
    progress.end();
  }

  async function removed(reference: string): Promise<string> {
    const notThere = 'Warning: No resource found to remove';
    if (session.dryRun) return (await digestOf(session, reference)) === undefined ? notThere : 'Removed';
    try {
      await act(client, imageOperations.remove, { path: { name: reference } });
      return 'Removed';
    } catch (error) {
      if (kindOf(error) === 'notFound') return notThere;
      if (kindOf(error) === 'conflict') return 'Resource is still in use';
      throw error;
    }
  }
}

/** By the project's files, or by its containers when there are none. */
function imagesToRemove(
  containers: readonly ObservedContainer[],
  { project }: Pick<Loaded, 'project'>,
  which: RemovedImages,
  only: readonly string[],
): string[] {
  const isAsked = (service: string) => only.length === 0 || only.includes(service);
  const ofFiles = Object.entries(project.services).map(([name, { image }]) => ({
    name,
    isLocal: image === undefined,
    reference: imageReference(project, name),
  }));
  const ofContainers = containers
    .filter(({ service }) => project.services[service] === undefined && ofFiles.length === 0)
    .map(({ service, image }) => ({
      name: service,
      isLocal: image === imageReference(project, service),
      reference: image,
    }));
  const references = [...ofFiles, ...ofContainers]
    .filter(({ name, isLocal }) => isAsked(name) && (which === 'all' || isLocal))
    .map(({ reference }) => withTag(reference));
  return [...new Set(references)].sort();
}

function withTag(reference: string): string {
  const { tag, digest } = splitReference(reference);
  return tag === undefined && digest === undefined ? `${reference}:latest` : reference;
}

/**
 * The project of the files, or with -p what has its name.
 * @param services those asked for
 * @throws EngineError notFound for a service that the files do not have
 */
export function projectOrName(
  { session, groupFlags }: Pick<Call, 'session' | 'groupFlags'>,
  services: readonly string[],
): { name: string; project: Project | undefined; loaded: Pick<Loaded, 'project' | 'sources'> } {
  const sources = namedSources(session, groupFlags);
  if (sources.files.length === 0 && sources.name !== undefined) {
    const loaded: Pick<Loaded, 'project' | 'sources'> = {
      project: {
        name: sources.name,
        services: {},
        ...(sources.compatibility ? { separator: '_' as const } : {}),
      },
      sources,
    };
    return { name: sources.name, project: undefined, loaded };
  }
  const loaded = loadNamedProject(session, groupFlags, { services });
  const missing = services.find(service => loaded.project.services[service] === undefined);
  if (missing !== undefined) throw new EngineError('notFound', `no such service: ${missing}`);
  return { name: loaded.project.name, project: loaded.project, loaded };
}
