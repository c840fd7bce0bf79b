import { servicesInOrder } from '../../../compose/plan/up.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { bringUp } from '../../compose/bring-up.ts';
import { interruptedStatus } from '../../compose/carry-out.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';
import { ProjectWatch } from '../../compose/watch/project-watch.ts';
import { watchedRules } from '../../compose/watch/rules.ts';
import { declareFlags, parseFlags } from '../../flags.ts';
import { command as createCommand } from './create.ts';

export const command: Command = {
  usage: '[SERVICE...]',
  short: 'Watch build context for service and rebuild/refresh containers when files are updated',
  flags: `
      --no-up  Do not build & start services before watching
      --prune  Prune dangling images on rebuild (default true)
      --quiet  hide build output
`,
  takes: anyArguments,
  async run(call) {
    const { session, flags, groupFlags, args } = call;
    if (session.dryRun) throw new EngineError('notImplemented', 'watch is not supported in dry-run mode');
    const { project } = loadNamedProject(session, groupFlags, { services: args });
    const missing = args.find(name => project.services[name] === undefined);
    if (missing !== undefined) throw new EngineError('notFound', `no such service: ${missing}`);
    const rules = watchedRules(project, servicesInOrder(project, args, args.length === 0));
    const quiet = flags.on('quiet');
    if (!flags.on('no-up')) {
      const written = ['--build', ...(quiet ? ['--quiet-build'] : [])];
      const upCall = { ...call, flags: parseFlags(declareFlags(createCommand.flags), written, true).values };
      const progress = openProgress(call);
      try {
        await bringUp(upCall, true, { progress });
      } finally {
        progress.end();
      }
    }
    const watch = new ProjectWatch(call, rules, {
      quiet,
      prune: flags.on('prune'),
      say: line => session.out.line(line),
    });
    await new Promise<void>(resolve => {
      process.once('SIGINT', () => resolve());
      process.once('SIGTERM', () => resolve());
      watch.start();
    });
    await watch.close();
    return interruptedStatus;
  },
};
