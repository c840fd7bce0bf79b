import type { Loaded } from '../../compose/load/load.ts';
import { observe } from '../../compose/observe.ts';
import type { Observed } from '../../compose/observed.ts';
import type { Plan } from '../../compose/plan/plan.ts';
import { divergedVolumes, isOrphan, planUp, servicesInOrder, type UpOptions } from '../../compose/plan/up.ts';
import type { Call } from '../command.ts';
import { agrees } from '../confirm.ts';
import type { Session } from '../session.ts';
import { withSocketOf } from './api-socket.ts';
import { type CarryOutOptions, carryOut } from './carry-out.ts';
import { prepareImages, type ServiceImage } from './images.ts';
import { loadNamedProject } from './load-project.ts';
import { standing } from './plan-words.ts';
import { provide } from './providers.ts';
import { pullPolicy, upOptions } from './up-options.ts';

export interface BroughtUp extends Loaded {
  observed: Observed;
  plan: Plan;
}

export interface Following
  extends Pick<CarryOutOptions, 'onStarted' | 'hookOutput' | 'signal' | 'progress' | 'stopTimeout'> {
  /** The last moment to refuse: images are not prepared yet. */
  onLoaded?(loaded: Loaded): void;
  onPlan?(up: BroughtUp): void;
  /** Nobody is asked (`--yes`). */
  assumesYes?: boolean;
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
  following.onLoaded?.(loaded);
  const { project } = loaded;
  const options = { ...upOptions(flags, args, project), start };
  const services = servicesInOrder(project, args, options.withDependencies);
  const images = await prepareImages(session, project, services, {
    build: flags.on('build'),
    mayBuild: !flags.on('no-build'),
    pull: pullPolicy(flags),
    quietPull: flags.on('quiet-pull'),
    quietBuild: flags.on('quiet-build'),
    progress: following.progress,
    environment: loaded.sources.environment,
  });
  const stopTimeout = flags.changed('timeout') ? flags.integer('timeout') : undefined;
  return reachState(session, loaded, options, images, {
    stopTimeout,
    assumesYes: flags.on('yes'),
    ...following,
  });
}

/**
 * Has providers make what is theirs, plans what is missing and does it; the images of the services concerned are
 * there.
 */
export async function reachState(
  session: Session,
  { project: written, ...around }: Loaded,
  options: UpOptions,
  images: Record<string, ServiceImage>,
  { onPlan, assumesYes = false, ...following }: Following,
): Promise<BroughtUp> {
  const services = servicesInOrder(written, options.services, options.withDependencies);
  const { environment } = around.sources;
  const { progress } = following;
  const provided = await provide(session, written, { services, environment, progress });
  const project = await withSocketOf(session, provided);
  const loaded = { project, ...around };
  const observed = await observe(await session.client(), project.name, project);
  const imageDigests = Object.fromEntries(Object.entries(images).map(([name, { digest }]) => [name, digest]));
  const replacedVolumes = await volumesToReplace(session, divergedVolumes(project, observed), assumesYes);
  const plan = planUp(project, observed, { ...options, imageDigests, replacedVolumes });
  const up = { ...loaded, observed, plan };
  if (!options.removeOrphans && following.progress.mode !== 'quiet') warnOfOrphans(session, up);
  for (const event of standing(plan, observed, services)) following.progress.tell(event);
  onPlan?.(up);
  await carryOut(session, loaded, plan, { observed, images, ...following });
  return up;
}

/** Their content is lost, so somebody has to say so: a person or `--yes`. */
async function volumesToReplace(
  session: Session,
  diverged: readonly string[],
  assumesYes: boolean,
): Promise<Set<string>> {
  if (diverged.length === 0) return new Set();
  const names = diverged.map(name => JSON.stringify(name)).join(', ');
  const warning = `Volume ${names} exists but doesn't match configuration in compose file`;
  if (!assumesYes && !session.input.isTerminal) session.err.line(`WARNING: ${warning}; it stays as it is`);
  const agreed =
    assumesYes ||
    (session.input.isTerminal && (await agrees(session, `${warning}. Recreate (data will be lost)?`)));
  return new Set(agreed ? diverged : []);
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
