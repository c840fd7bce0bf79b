import { servicesInOrder } from '../../../compose/plan/up.ts';
import type { Project } from '../../../compose/project.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Call, type Command } from '../../command.ts';
import { bringUp } from '../../compose/bring-up.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';
import type { Progress, ProgressEvent } from '../../compose/progress/progress.ts';
import { waitForReadiness } from '../../compose/readiness.ts';
import { projectContainers } from '../../compose/service-containers.ts';
import { upFlags } from '../../compose/up-options.ts';
import type { FlagValues } from '../../flags.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Create and start containers',
  aliases: 'compose up',
  flags: `
${upFlags}
      --abort-on-container-exit  Stops all containers if any container was stopped. Incompatible with -d
      --abort-on-container-failure  Stops all containers if any container exited with failure. Incompatible with -d
      --attach stringArray  Restrict attaching to the specified services. Incompatible with --attach-dependencies.
      --attach-dependencies  Automatically attach to log output of dependent services
      --build  Build images before starting containers
  -d, --detach  Detached mode: Run containers in the background
      --exit-code-from string  Return the exit code of the selected service container. Implies --abort-on-container-exit
      --menu  Enable interactive shortcuts when running attached. Incompatible with --detach. Can also be enable/disable by setting COMPOSE_MENU environment var.
      --no-attach stringArray  Do not attach (stream logs) to the specified services
      --no-build  Don't build an image, even if it's policy
      --no-color  Produce monochrome output
      --no-log-prefix  Don't print prefix in logs
      --no-start  Don't start the services after creating them
      --pull string  Pull image before running ("always"|"missing"|"never")
      --quiet-build  Suppress the build output
      --quiet-pull  Pull without printing progress information
  -t, --timeout int  Use this timeout in seconds for container shutdown when containers are attached or when containers are already running
      --timestamps  Show timestamps
      --wait  Wait for services to be running|healthy. Implies detached mode.
      --wait-timeout int  Maximum duration in seconds to wait for the project to be running|healthy
  -w, --watch  Watch source code and rebuild/refresh containers when files are updated.
`,
  takes: anyArguments,
  async run(call) {
    const { flags, session } = call;
    const starts = !flags.on('no-start');
    const waits = flags.on('wait');
    const detached = flags.on('detach') || waits || !starts;
    refuseCombinations(flags);
    if (!detached && !session.dryRun) {
      const { upAttached } = await import('../../compose/up-attached.ts');
      return upAttached(call);
    }
    const progress = openProgress(call);
    try {
      const { project } = await bringUp(call, starts, { progress });
      if (waits && starts && !session.dryRun) await waitUntilReady(call, project, progress);
    } finally {
      progress.end();
    }
    if (!detached) session.err.line('what the services would say is not known in dry-run mode');
    return 0;
  },
};

/** @throws EngineError for flags of which only one can be meant */
function refuseCombinations(flags: FlagValues): void {
  const refuse = (message: string) => {
    throw new EngineError('invalid', message);
  };
  const attachedOnly =
    ['abort-on-container-exit', 'abort-on-container-failure', 'attach-dependencies', 'watch'].some(name =>
      flags.on(name),
    ) ||
    flags.changed('exit-code-from') ||
    flags.list('attach').length > 0;
  for (const name of ['wait', 'detach'])
    if (flags.on(name) && attachedOnly)
      refuse(
        `--${name} cannot be combined with --abort-on-container-exit, --abort-on-container-failure, --attach, --attach-dependencies or --watch`,
      );
  if (flags.on('abort-on-container-exit') && flags.on('abort-on-container-failure'))
    refuse('--abort-on-container-failure cannot be combined with --abort-on-container-exit');
  if (flags.on('attach-dependencies') && flags.list('attach').length > 0)
    refuse('cannot combine --attach and --attach-dependencies');
  const pull = flags.given('pull') ?? 'missing';
  if (!['always', 'missing', 'never', 'policy', 'build'].includes(pull))
    refuse(`invalid --pull option ${JSON.stringify(pull)}`);
  if (flags.on('build') && flags.on('no-build')) refuse('--build and --no-build are incompatible');
}

/** Until all containers run, and are healthy where they have a check. */
async function waitUntilReady(
  { session, flags, groupFlags, args }: Call,
  project: Project,
  progress: Progress,
): Promise<void> {
  const names = servicesInOrder(project, args, !flags.on('no-deps'));
  const { containers } = await projectContainers(session, groupFlags, names);
  const limitMs = flags.changed('wait-timeout') ? flags.integer('wait-timeout') * 1000 : undefined;
  await Promise.all(
    containers.map(async container => {
      const tell = (status: string, state: ProgressEvent['state']) =>
        progress.tell({ id: `Container ${container.name}`, status, state });
      tell('Waiting', 'working');
      try {
        await waitForReadiness(session, container, limitMs);
        tell('Healthy', 'done');
      } catch (error) {
        tell('Error', 'failed');
        throw error;
      }
    }),
  );
}
