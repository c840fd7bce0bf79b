import { observe } from '../../../compose/observe.ts';
import { planStart } from '../../../compose/plan/start.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Call, type Command } from '../../command.ts';
import { carryOut } from '../../compose/carry-out.ts';
import { asking, isRunning, toEach } from '../../compose/life-cycle.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';
import { projectOrName } from '../../compose/take-down.ts';

export const command: Command = {
  usage: '[SERVICE...]',
  short: 'Start services',
  flags: '',
  takes: anyArguments,
  async run(call) {
    const { name, count } = await startContainers(call);
    if (count === 0)
      throw new EngineError('notFound', `no container found for project ${JSON.stringify(name)}: not found`);
  },
};

/** @returns how many containers there are to be started, or run */
async function startContainers(call: Call): Promise<{ name: string; count: number }> {
  const { session, args } = call;
  const { name, project, loaded } = projectOrName(call, args);
  if (project === undefined) {
    let count = 0;
    const isIdle = (container: Parameters<typeof isRunning>[0]) => {
      count++;
      return !isRunning(container);
    };
    await toEach(call, isIdle, ['Starting', 'Started'], asking('start'));
    return { name, count };
  }
  const observed = await observe(await session.client(), name, project);
  const plan = planStart(project, observed, args);
  const progress = openProgress(call);
  try {
    await carryOut(session, loaded, plan, { observed, progress });
  } finally {
    progress.end();
  }
  const known = observed.containers.filter(({ service, oneOff }) => !oneOff && service in project.services);
  return { name, count: known.length };
}
