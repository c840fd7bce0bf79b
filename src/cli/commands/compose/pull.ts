import { servicesInOrder } from '../../../compose/plan/up.ts';
import { EngineError, messageOf } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { ExitError } from '../../errors.ts';
import { pullImage } from '../../pull-image.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Pull service images',
  flags: `
      --ignore-buildable  Ignore images that can be built
      --ignore-pull-failures  Pull what it can and ignores images with pull failures
      --include-deps  Also pull services declared as dependencies
  -q, --quiet  Pull without printing progress information
`,
  takes: anyArguments,
  async run({ session, flags, groupFlags, args }) {
    const { project } = loadNamedProject(session, groupFlags, { services: args });
    const missing = args.find(name => project.services[name] === undefined);
    if (missing !== undefined) throw new EngineError('notFound', `no such service: ${missing}`);
    const names = servicesInOrder(project, args, args.length === 0 || flags.on('include-deps'));
    const failures: string[] = [];
    for (const name of names) {
      const { image, build, platform = '' } = project.services[name]!;
      if (image === undefined || (build !== undefined && flags.on('ignore-buildable'))) {
        session.err.line(` ${name} Skipped - No image to be pulled`);
        continue;
      }
      try {
        await pullImage(session, image, { platform, quiet: flags.on('quiet'), to: session.err });
      } catch (error) {
        failures.push(`${name}: ${messageOf(error)}`);
      }
    }
    if (failures.length === 0) return;
    if (!flags.on('ignore-pull-failures')) throw new ExitError(1, failures.join('\n'));
    for (const failure of failures) session.err.line(`WARNING: ${failure}`);
  },
};
