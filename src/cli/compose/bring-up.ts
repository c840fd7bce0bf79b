import type { Loaded } from '../../compose/load/load.ts';
import { observe } from '../../compose/observe.ts';
import type { Observed } from '../../compose/observed.ts';
import type { Plan } from '../../compose/plan/plan.ts';
import { planUp, servicesInOrder } from '../../compose/plan/up.ts';
import type { Call } from '../command.ts';
import { type CarryOutOptions, carryOut } from './carry-out.ts';
import { prepareImages } from './images.ts';
import { loadNamedProject } from './load-project.ts';
import { standing } from './plan-words.ts';
import { upOptions } from './up-options.ts';

export interface BroughtUp extends Loaded {
  observed: Observed;
  plan: Plan;
}

export interface Following extends Pick<CarryOutOptions, 'onStarted' | 'hookOutput' | 'signal' | 'progress'> {
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
  const observed = await observe(await session.client(), project.name, project);
  const imageDigests = Object.fromEntries(Object.entries(images).map(([name, { digest }]) => [name, digest]));
  const plan = planUp(project, observed, { ...options, imageDigests });
  const up = { ...loaded, observed, plan };
  for (const event of standing(plan, observed, services)) following.progress.tell(event);
  following.onPlan?.(up);
  const stopTimeout = flags.changed('timeout') ? flags.integer('timeout') : undefined;
  await carryOut(session, loaded, plan, { observed, images, stopTimeout, ...following });
  return up;
}
