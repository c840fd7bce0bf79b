import type { Loaded } from '../../compose/load/load.ts';
import { observe } from '../../compose/observe.ts';
import type { Observed } from '../../compose/observed.ts';
import type { Plan } from '../../compose/plan/plan.ts';
import { planUp, servicesInOrder } from '../../compose/plan/up.ts';
import type { Call } from '../command.ts';
import { type CarryOutOptions, carryOut } from './carry-out.ts';
import { prepareImages } from './images.ts';
import { loadNamedProject } from './load-project.ts';
import { upOptions } from './up-options.ts';

export interface BroughtUp extends Loaded {
  observed: Observed;
  plan: Plan;
}

/**
 * Makes the daemon's state the project's: images first, then what the plan says.
 * @param start false: containers are made, not started
 */
export async function bringUp(
  { session, flags, groupFlags, args }: Call,
  start: boolean,
  following: Pick<CarryOutOptions, 'onStarted' | 'signal'> & { onPlan?(up: BroughtUp): void } = {},
): Promise<BroughtUp> {
  const loaded = loadNamedProject(session, groupFlags, { services: args });
  const { project } = loaded;
  const options = { ...upOptions(flags, args, project), start };
  const services = servicesInOrder(project, args, options.withDependencies);
  const images = await prepareImages(session, project, services, {
    build: flags.on('build'),
    mayBuild: !flags.on('no-build'),
    pull: flags.given('pull'),
    quiet: flags.on('quiet-pull') || flags.on('quiet-build'),
  });
  const observed = await observe(await session.client(), project.name, project);
  const imageDigests = Object.fromEntries(Object.entries(images).map(([name, { digest }]) => [name, digest]));
  const plan = planUp(project, observed, { ...options, imageDigests });
  const up = { ...loaded, observed, plan };
  following.onPlan?.(up);
  const stopTimeout = flags.changed('timeout') ? flags.integer('timeout') : undefined;
  await carryOut(session, loaded, plan, { observed, images, stopTimeout, ...following });
  return up;
}
