import { act } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { runHooks, runHooksBeforeStop } from '../../compose/hooks.ts';
import type { Project } from '../../compose/project.ts';
import { messageOf } from '../../stdx/errors.ts';
import type { Call } from '../command.ts';
import { ExitError } from '../errors.ts';
import type { Session } from '../session.ts';
import { openProgress } from './progress/open-progress.ts';
import type { ProgressEvent } from './progress/progress.ts';
import { projectContainers, type ServiceContainer } from './service-containers.ts';

/** @param project undefined when it is known by its name alone */
type Ask = (session: Session, container: ServiceContainer, project: Project | undefined) => Promise<unknown>;

export interface EachOptions {
  /** Containers whose service the project does not have, too. */
  orphans?: boolean;
  /** Services whose turn is together; those after them wait. One turn for all, and the named ones, without it. */
  groups?(project: Project): string[][];
}

/**
 * Does the same to all containers of the named services at once, and says so.
 * @param words while it is done, and when it is done
 * @throws ExitError 1 with what failed
 */
export async function toEach(
  call: Call,
  wanted: (container: ServiceContainer) => boolean,
  words: readonly [string, string],
  ask: Ask,
  { orphans = false, groups }: EachOptions = {},
): Promise<ServiceContainer[]> {
  const { session, groupFlags, args } = call;
  const { containers: named, all, project } = await projectContainers(session, groupFlags, args);
  const isKnown = ({ service }: ServiceContainer) =>
    orphans || project === undefined || project.services[service] !== undefined;
  const turns =
    groups === undefined || project === undefined
      ? [named]
      : groups(project).map(services => all.filter(({ service }) => services.includes(service)));
  const concerned = turns.map(turn => turn.filter(container => isKnown(container) && wanted(container)));
  const failures: string[] = [];
  const progress = openProgress(call);
  const tell = (name: string, status: string, state: ProgressEvent['state']) =>
    progress.tell({ id: `Container ${name}`, status, state });
  const treat = async (container: ServiceContainer) => {
    tell(container.name, words[0], 'working');
    try {
      if (!session.dryRun) await ask(session, container, project);
      tell(container.name, words[1], 'done');
    } catch (error) {
      failures.push(`${container.name}: ${messageOf(error)}`);
      tell(container.name, 'Error', 'failed');
    }
  };
  for (const turn of concerned) if (failures.length === 0) await Promise.all(turn.map(treat));
  progress.end();
  if (failures.length > 0) throw new ExitError(1, failures.join('\n'));
  return concerned.flat();
}

/** Asks one operation of the engine for each container, with the hooks that go with it. */
export function asking(
  operation: 'start' | 'stop' | 'restart' | 'kill' | 'pause' | 'unpause',
  query: { t?: string | undefined; signal?: string } = {},
): Ask {
  return async (session, container, project) => {
    const client = await session.client();
    const { id } = container;
    if (operation === 'stop' || operation === 'restart') await runHooksBeforeStop(client, project, container);
    await act(client, containerOperations[operation], { path: { id }, query });
    if (operation === 'start' || operation === 'restart')
      await runHooks(client, 'post_start', project, container);
  };
}

/** Whether there is something in it to stop. */
export function isAlive({ summary }: ServiceContainer): boolean {
  return ['running', 'paused', 'restarting'].includes(summary.State);
}

export function isRunning({ summary }: ServiceContainer): boolean {
  return summary.State === 'running';
}
