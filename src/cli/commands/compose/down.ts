import type { Loaded } from '../../../compose/load/load.ts';
import { observe } from '../../../compose/observe.ts';
import { planDown } from '../../../compose/plan/down.ts';
import { anyArguments, type Call, type Command } from '../../command.ts';
import { carryOut } from '../../compose/carry-out.ts';
import { loadNamedProject, namedSources } from '../../compose/load-project.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICES]',
  short: 'Stop and remove containers, networks',
  flags: `
      --remove-orphans  Remove containers for services not defined in the Compose file
!     --rmi string  images are not removed yet
  -t, --timeout int  Specify a shutdown timeout in seconds
  -v, --volumes  Remove named volumes declared in the "volumes" section of the Compose file and anonymous volumes attached to containers
`,
  takes: anyArguments,
  async run(call) {
    const { session, flags, args } = call;
    const { name, project, loaded } = projectOrName(call);
    const observed = await observe(await session.client(), name, project);
    const plan = planDown(name, project, observed, {
      services: args,
      remove: true,
      removeOrphans: flags.on('remove-orphans'),
      volumes: flags.on('volumes'),
    });
    if (plan.length === 0) session.err.line(`Warning: No resource found to remove for project "${name}".`);
    const stopTimeout = flags.changed('timeout') ? flags.integer('timeout') : undefined;
    const progress = openProgress(call);
    try {
      await carryOut(session, loaded, plan, { observed, stopTimeout, progress });
    } finally {
      progress.end();
    }
  },
};

/** With -p a project can be taken down without its files. */
function projectOrName({ session, groupFlags }: Call) {
  const sources = namedSources(session, groupFlags);
  if (sources.files.length === 0 && sources.name !== undefined) {
    const loaded: Pick<Loaded, 'project' | 'sources'> = {
      project: { name: sources.name, services: {} },
      sources,
    };
    return { name: sources.name, project: undefined, loaded };
  }
  const loaded = loadNamedProject(session, groupFlags);
  return { name: loaded.project.name, project: loaded.project, loaded };
}
