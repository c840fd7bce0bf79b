import { observe } from '../../../compose/observe.ts';
import { showPlan } from '../../../compose/plan/plan.ts';
import { divergedVolumes, planUp } from '../../../compose/plan/up.ts';
import { toJson } from '../../../stdx/template/json.ts';
import { anyArguments, type Command } from '../../command.ts';
import { withSocketOf } from '../../compose/api-socket.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { upFlags, upOptions } from '../../compose/up-options.ts';
import { UsageError } from '../../errors.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Show what up would do, and do nothing',
  flags: `
${upFlags}
      --format string  Format of the plan ("text", "json") (default "text")
`,
  takes: anyArguments,
  async run({ session, flags, groupFlags, args }) {
    const format = flags.string('format');
    if (format !== 'text' && format !== 'json')
      throw new UsageError(
        `invalid argument ${JSON.stringify(format)} for "--format" flag: want text or json`,
      );
    const loaded = loadNamedProject(session, groupFlags, { services: args });
    const project = await withSocketOf(session, loaded.project);
    const observed = await observe(await session.client(), project.name, project);
    const plan = planUp(project, observed, {
      ...upOptions(flags, args, project),
      replacedVolumes: new Set(flags.on('yes') ? divergedVolumes(project, observed) : []),
    });
    session.out.write(format === 'json' ? `${toJson(plan)}\n` : showPlan(plan));
  },
};
