import { servicesInOrder } from '../../../compose/plan/up.ts';
import { EngineError, messageOf } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { digestOf } from '../../compose/images.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';
import { pullForService } from '../../compose/progress/pull-display.ts';
import { ExitError } from '../../errors.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Pull service images',
  flags: `
      --ignore-buildable  Ignore images that can be built
      --ignore-pull-failures  Pull what it can and ignores images with pull failures
      --include-deps  Also pull services declared as dependencies
      --policy string  Apply pull policy ("missing"|"always")
  -q, --quiet  Pull without printing progress information
`,
  takes: anyArguments,
  async run({ session, flags, groupFlags, args }) {
    const { project } = loadNamedProject(session, groupFlags, { services: args });
    const missing = args.find(name => project.services[name] === undefined);
    if (missing !== undefined) throw new EngineError('notFound', `no such service: ${missing}`);
    const policy = flags.given('policy');
    if (policy !== undefined && policy !== 'missing' && policy !== 'always')
      throw new EngineError('invalid', `invalid --policy option ${JSON.stringify(policy)}`);
    const names = servicesInOrder(project, args, args.length === 0 || flags.on('include-deps'));
    const failures: string[] = [];
    const progress = openProgress({ session, groupFlags }, 'Pulling');
    const pulls = new Map<string, Promise<void>>();
    for (const name of names) {
      const { image, build, platform = '' } = project.services[name]!;
      if (image === undefined || (build !== undefined && flags.on('ignore-buildable'))) {
        progress.tell({ id: name, status: 'Skipped - No image to be pulled', state: 'stands' });
        continue;
      }
      if (policy === 'missing' && (await digestOf(session, image)) !== undefined) {
        progress.tell({ id: name, status: 'Skipped - Image is already present locally', state: 'stands' });
        continue;
      }
      const key = `${image} ${platform}`;
      if (pulls.has(key)) {
        progress.tell({ id: name, status: 'Skipped - Image is already being pulled', state: 'stands' });
        continue;
      }
      const pull = pullForService(session, name, image, { platform, quiet: flags.on('quiet'), progress });
      pulls.set(
        key,
        pull.catch(error => void failures.push(`${name}: ${messageOf(error)}`)),
      );
    }
    await Promise.all(pulls.values());
    progress.end();
    if (failures.length === 0) return;
    if (!flags.on('ignore-pull-failures')) throw new ExitError(1, failures.join('\n'));
    for (const failure of failures) session.err.line(`WARNING: ${failure}`);
  },
};
