import type { ContainerSummary } from '../../api/containers.ts';
import { encodeFilters, perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { composeLabels } from '../../compose/labels.ts';
import type { Project } from '../../compose/project.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { FlagValues } from '../flags.ts';
import type { Session } from '../session.ts';
import { loadNamedProject, namedSources } from './load-project.ts';

/** A container of a project, by the labels that Compose put on it. */
export interface ServiceContainer {
  id: string;
  name: string;
  service: string;
  number: number;
  oneOff: boolean;
  summary: ContainerSummary;
}

export interface ProjectContainers {
  name: string;
  /** Undefined when the project is known by its name alone. */
  project: Project | undefined;
  /** Of the services asked for. */
  containers: ServiceContainer[];
  all: ServiceContainer[];
}

/**
 * The containers of the project that the flags name; files are not needed when `-p` names it.
 * @param services only theirs; all when there are none
 * @throws EngineError notFound for a service that neither the files nor the daemon know
 */
export async function projectContainers(
  session: Session,
  groupFlags: FlagValues,
  services: readonly string[],
  { oneOffs = false }: { oneOffs?: boolean } = {},
): Promise<ProjectContainers> {
  const sources = namedSources(session, groupFlags);
  const byName = sources.files.length === 0 && sources.name !== undefined;
  const project = byName ? undefined : loadNamedProject(session, groupFlags, { services }).project;
  const name = project?.name ?? sources.name!;
  const filters = encodeFilters(new Map([['label', [`${composeLabels.project}=${name}`]]]));
  const found = await perform(await session.client(), containerOperations.list, {
    query: { all: true, filters },
  });
  const all = found
    .map(serviceContainer)
    .filter(({ oneOff }) => oneOffs || !oneOff)
    .sort((a, b) => (a.service < b.service ? -1 : a.service > b.service ? 1 : a.number - b.number));
  const unknown = services.find(
    service =>
      project?.services[service] === undefined && !all.some(container => container.service === service),
  );
  if (unknown !== undefined) throw new EngineError('notFound', `no such service: ${unknown}`);
  const containers = all.filter(({ service }) => services.length === 0 || services.includes(service));
  return { name, project, containers, all };
}

function serviceContainer(summary: ContainerSummary): ServiceContainer {
  const { Id, Names, Labels } = summary;
  return {
    id: Id,
    name: (Names[0] ?? '').replace(/^\//, ''),
    service: Labels[composeLabels.service] ?? '',
    number: Number(Labels[composeLabels.number] ?? 1),
    oneOff: Labels[composeLabels.oneOff] === 'True',
    summary,
  };
}

/** The container of a service with a number, or the first one that runs. @throws EngineError notFound */
export async function containerOf(
  session: Session,
  groupFlags: FlagValues,
  service: string,
  number: number,
): Promise<ServiceContainer> {
  const all = (await projectContainers(session, groupFlags, [])).containers;
  const containers = all.filter(container => container.service === service);
  const running = containers.filter(({ summary }) => summary.State === 'running');
  const found = number === 0 ? running[0] : containers.find(container => container.number === number);
  if (found !== undefined) return found;
  throw new EngineError(
    'notFound',
    number === 0
      ? `service ${JSON.stringify(service)} is not running`
      : `service ${JSON.stringify(service)} is not running container #${number}`,
  );
}
