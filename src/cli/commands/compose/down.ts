import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { type RemovedImages, takeDown } from '../../compose/take-down.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICES]',
  short: 'Stop and remove containers, networks',
  flags: `
      --remove-orphans  Remove containers for services not defined in the Compose file
      --rmi string  Remove images used by services. "local" remove only images that don't have a custom tag ("local"|"all")
  -t, --timeout int  Specify a shutdown timeout in seconds
  -v, --volumes  Remove named volumes declared in the "volumes" section of the Compose file and anonymous volumes attached to containers
`,
  takes: anyArguments,
  async run(call) {
    const { flags, args } = call;
    await takeDown(call, {
      services: args,
      removeOrphans: flags.on('remove-orphans'),
      volumes: flags.on('volumes'),
      images: imagesOf(flags.given('rmi')),
      stopTimeout: flags.changed('timeout') ? flags.integer('timeout') : undefined,
    });
  },
};

function imagesOf(written: string | undefined): RemovedImages | undefined {
  if (written === undefined || written === 'local' || written === 'all') return written;
  throw new EngineError('invalid', `invalid value for --rmi: ${JSON.stringify(written)}`);
}
