import { servicesInOrder } from '../../../compose/plan/up.ts';
import type { Project } from '../../../compose/project.ts';
import { anyArguments, type Call, type Command } from '../../command.ts';
import { bringUp } from '../../compose/bring-up.ts';
import { openProgress } from '../../compose/progress/open-progress.ts';
import type { Progress, ProgressEvent } from '../../compose/progress/progress.ts';
import { waitForReadiness } from '../../compose/readiness.ts';
import { projectContainers } from '../../compose/service-containers.ts';
import { upAttached } from '../../compose/up-attached.ts';
import { upFlags } from '../../compose/up-options.ts';
import { UsageError } from '../../errors.ts';

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
!     --watch  what changes is not watched yet
!     --menu  there are no shortcuts
`,
  takes: anyArguments,
  async run(call) {
    const { flags } = call;
    const starts = !flags.on('no-start');
    const waits = flags.on('wait');
    const detached = flags.on('detach') || waits || !starts;
    const attachedOnly = [
      'abort-on-container-exit',
      'abort-on-container-failure',
      'exit-code-from',
      'attach',
    ];
    const wrong = detached ? attachedOnly.find(name => flags.changed(name)) : undefined;
    if (wrong !== undefined) throw new UsageError(`--${wrong} and --detach are incompatible`);
    if (!detached) return upAttached(call);
    const progress = openProgress(call);
    try {
      const { project } = await bringUp(call, starts, { progress });
      if (waits) await waitUntilReady(call, project, progress);
    } finally {
      progress.end();
    }
    return 0;
  },
};

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
