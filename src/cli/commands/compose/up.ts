import { observe } from '../../../compose/observe.ts';
import { planUp, servicesInOrder } from '../../../compose/plan/up.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Call, type Command } from '../../command.ts';
import { carryOut } from '../../compose/carry-out.ts';
import { prepareImages } from '../../compose/images.ts';
import { loadNamedProject } from '../../compose/load-project.ts';
import { upFlags, upOptions } from '../../compose/up-options.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Create and start containers',
  aliases: 'compose up',
  flags: `
${upFlags}
      --build  Build images before starting containers
  -d, --detach  Detached mode: Run containers in the background
      --no-build  Don't build an image, even if it's policy
      --no-start  Don't start the services after creating them
      --pull string  Pull image before running ("always"|"missing"|"never")
      --quiet-build  Suppress the build output
      --quiet-pull  Pull without printing progress information
  -t, --timeout int  Use this timeout in seconds for container shutdown when containers are attached or when containers are already running
`,
  takes: anyArguments,
  async run(call) {
    if (!call.flags.on('detach') && !call.flags.on('no-start'))
      throw new EngineError(
        'notImplemented',
        'up without -d (--detach) is not supported yet: the logs of services cannot be followed',
      );
    await bringUp(call, !call.flags.on('no-start'));
  },
};

/** Makes the daemon's state the project's. @param start false: containers are made, not started */
export async function bringUp({ session, flags, groupFlags, args }: Call, start: boolean): Promise<void> {
  const loaded = loadNamedProject(session, groupFlags, { services: args });
  const { project } = loaded;
  const options = { ...upOptions(flags, args, project), start };
  const services = servicesInOrder(project, args, options.withDependencies);
  const images = await prepareImages(session, project, services, {
    build: flags.on('build'),
    mayBuild: !flags.on('no-build'),
    pull: flags.given('pull'),
    quiet: flags.on('quiet-pull') || flags.on('quiet-build'),
  });
  const observed = await observe(await session.client(), project.name, project);
  const imageDigests = Object.fromEntries(Object.entries(images).map(([name, { digest }]) => [name, digest]));
  const plan = planUp(project, observed, { ...options, imageDigests });
  await carryOut(session, loaded, plan, { observed, images, stopTimeout: stopTimeoutOf(flags) });
}

function stopTimeoutOf(flags: Call['flags']): number | undefined {
  return flags.changed('timeout') ? flags.integer('timeout') : undefined;
}
