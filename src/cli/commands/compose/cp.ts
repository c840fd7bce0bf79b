import { EngineError } from '../../../stdx/errors.ts';
import { type Command, exactly } from '../../command.ts';
import { tellInstead } from '../../compose/dry-run.ts';
import { projectContainers, type ServiceContainer } from '../../compose/service-containers.ts';
import { copyFromContainer } from '../../copy/from-container.ts';
import { splitCopyArgument } from '../../copy/paths.ts';
import { copyToContainer } from '../../copy/to-container.ts';

export const command: Command = {
  usage: '[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-\n\tgantry compose cp [OPTIONS] SRC_PATH|- SERVICE:DEST_PATH',
  short: 'Copy files/folders between a service container and the local filesystem',
  aliases: 'compose cp',
  flags: `
      --all  Include containers created by the run command
  -a, --archive  Archive mode (copy all uid/gid information)
  -L, --follow-link  Always follow symbol link in SRC_PATH
      --index int  Index of the container if service has multiple replicas
`,
  takes: exactly(2),
  async run({ session, flags, groupFlags, args: [from = '', to = ''] }) {
    const source = splitCopyArgument(from);
    const destination = splitCopyArgument(to);
    if (source.container !== undefined && destination.container !== undefined)
      throw new EngineError('invalid', 'copying between services is not supported');
    const service = source.container ?? destination.container;
    if (service === undefined) throw new EngineError('invalid', 'unknown copy direction');
    const { containers } = await projectContainers(session, groupFlags, [], { oneOffs: flags.on('all') });
    const ofService = containers.filter(container => container.service === service);
    const chosen = choose(service, ofService, flags.integer('index'));
    const options = { archive: flags.on('archive'), followLink: flags.on('follow-link'), quiet: false };
    if (session.dryRun) {
      for (const { name } of chosen) {
        const inside = `${name}:${(source.container === undefined ? destination : source).path}`;
        const what = source.container === undefined ? `copy ${from} to ${inside}` : `copy ${inside} to ${to}`;
        tellInstead({ session, groupFlags }, `${name} ${what}`, ['Copying', 'Copied']);
      }
      return;
    }
    if (source.container !== undefined) {
      await copyFromContainer(session, chosen[0]!.id, source.path, destination.path, options);
      return;
    }
    if (source.path === '-' && chosen.length > 1)
      throw new EngineError(
        'invalid',
        `an archive from standard input can be copied to one container only, and service "${service}" has ` +
          `${chosen.length}: --index chooses one`,
      );
    for (const { id } of chosen) await copyToContainer(session, source.path, id, destination.path, options);
  },
};

/** All of them get what is copied to a service; the first one gives what is copied from it. */
function choose(service: string, containers: ServiceContainer[], index: number): ServiceContainer[] {
  const chosen =
    index === 0 ? containers : containers.filter(({ number, oneOff }) => number === index && !oneOff);
  if (chosen.length > 0) return chosen;
  throw new EngineError(
    'notFound',
    index === 0
      ? `no container found for service ${JSON.stringify(service)}`
      : `service ${JSON.stringify(service)} is not running container #${index}`,
  );
}
