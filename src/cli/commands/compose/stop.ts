import { observe } from '../../../compose/observe.ts';
import { planDown } from '../../../compose/plan/down.ts';
import { anyArguments, type Command } from '../../command.ts';
import { carryOut } from '../../compose/carry-out.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';
import { projectOrName } from '../../compose/take-down.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Stop services',
  flags: `
  -t, --timeout int  Specify a shutdown timeout in seconds
`,
  takes: anyArguments,
  async run(call) {
    const { session, flags, args } = call;
    const { name, project, loaded } = projectOrName(call, args);
    const observed = await observe(await session.client(), name, project);
    const plan = planDown(name, project, observed, {
      services: args,
      remove: false,
      removeOrphans: false,
      volumes: false,
    });
    const stopTimeout = flags.changed('timeout') ? flags.integer('timeout') : undefined;
    const progress = openProgress(call);
    try {
      await carryOut(session, loaded, plan, { observed, stopTimeout, progress });
    } finally {
      progress.end();
    }
  },
};
