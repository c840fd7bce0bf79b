import type { Loaded } from '../../compose/load/load.ts';
import { observe } from '../../compose/observe.ts';
import type { Observed } from '../../compose/observed.ts';
import type { Plan } from '../../compose/plan/plan.ts';
import { isOrphan, planUp, servicesInOrder, type UpOptions } from '../../compose/plan/up.ts';
import type { Call } from '../command.ts';
import type { Session } from '../session.ts';
import { type CarryOutOptions, carryOut } from './carry-out.ts';
import { prepareImages, type ServiceImage } from './images.ts';
import { loadNamedProject } from './load-project.ts';
import { standing } from './plan-words.ts';
import { upOptions } from './up-options.ts';

export interface BroughtUp extends Loaded {
  observed: Observed;
  plan: Plan;
}

export interface Following
  extends Pick<CarryOutOptions, 'onStarted' | 'hookOutput' | 'signal' | 'progress' | 'stopTimeout'> {
  onPlan?(up: BroughtUp): void;
}

/**
 * Makes the daemon's state the project's: images first, then what the plan says.
 * @param start false: containers are made, not started
 */
export async function bringUp(
  { session, flags, groupFlags, args }: Call,
  start: boolean,
  following: Following,
): Promise<BroughtUp> {
  const loaded = loadNamedProject(session, groupFlags, { services: args });
  const { project } = loaded;
  const options = { ...upOptions(flags, args, project), start };
  const services = servicesInOrder(project, args, options.withDependencies);
  const images = await prepareImages(session, project, services, {
    build: flags.on('build'),
    mayBuild: !flags.on('no-build'),
    pull: flags.given('pull'),
    quietPull: flags.on('quiet-pull'),
    quietBuild: flags.on('quiet-build'),
    progress: following.progress,
  });
  const stopTimeout = flags.changed('timeout') ? flags.integer('timeout') : undefined;
  return reachState(session, loaded, options, images, { stopTimeout, ...following });
}

/** Plans what is missing and does it; the images of the services concerned are there. */
export async function reachState(
  session: Session,
  loaded: Loaded,
  options: UpOptions,
  images: Record<string, ServiceImage>,
  { onPlan, ...following }: Following,
): Promise<BroughtUp> {
  const { project } = loaded;
  const observed = await observe(await session.client(), project.name, project);
  const imageDigests = Object.fromEntries(Object.entries(images).map(([name, { digest }]) => [name, digest]));
  const plan = planUp(project, observed, { ...options, imageDigests });
  const up = { ...loaded, observed, plan };
  if (!options.removeOrphans && following.progress.mode !== 'quiet') warnOfOrphans(session, up);
  const services = servicesInOrder(project, options.services, options.withDependencies);
  for (const event of standing(plan, observed, services)) following.progress.tell(event);
  onPlan?.(up);
  await carryOut(session, loaded, plan, { observed, images, ...following });
  return up;
}

function warnOfOrphans(session: Session, { project, observed, sources }: BroughtUp): void {
  if (/^(1|t|true)$/i.test(sources.environment.get('COMPOSE_IGNORE_ORPHANS') ?? '')) return;
  const orphans = observed.containers.filter(container => isOrphan(project, container));
  if (orphans.length === 0) return;
  const names = orphans.map(({ name }) => name).join(', ');
  session.err.line(
    `WARNING: containers of no service of this project (--remove-orphans removes them): ${names}`,
  );
}
