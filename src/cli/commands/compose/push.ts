import { servicesInOrder } from '../../../compose/plan/up.ts';
import { EngineError, messageOf } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { tellInstead } from '../../compose/dry-run.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { runOther } from '../../compose/run-other.ts';
import { command as pushCommand } from '../push.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Push service images',
  aliases: 'compose push',
  flags: `
      --ignore-push-failures  Push what it can and ignores images with push failures
      --include-deps  Also push images of services declared as dependencies
  -q, --quiet  Push without printing progress information
`,
  takes: anyArguments,
  async run({ session, flags, groupFlags, args }) {
    const { project } = loadNamedProject(session, groupFlags, { services: args });
    const missing = args.find(name => project.services[name] === undefined);
    if (missing !== undefined) throw new EngineError('notFound', `no such service: ${missing}`);
    const quiet = flags.on('quiet');
    const failures: unknown[] = [];
    for (const name of servicesInOrder(project, args, flags.on('include-deps'))) {
      const { build, image } = project.services[name]!;
      if (build === undefined || image === undefined) {
        // What was not built here, or has no name elsewhere, has nowhere to go.
        if (!quiet) session.err.line(` ${name}  Skipped`);
        continue;
      }
      for (const reference of new Set([image, ...(build.tags ?? [])])) {
        try {
          if (session.dryRun) tellInstead({ session, groupFlags }, name, ['Pushing', 'Pushed']);
          else await runOther(session, 'push', pushCommand, [...(quiet ? ['--quiet'] : []), reference]);
        } catch (error) {
          failures.push(error);
          if (flags.on('ignore-push-failures')) session.err.line(`Pushing ${name}: ${messageOf(error)}`);
        }
      }
    }
    if (failures.length > 0 && !flags.on('ignore-push-failures')) throw failures[0];
  },
};
