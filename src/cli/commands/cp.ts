import { EngineError } from '../../stdx/errors.ts';
import { type Command, exactly } from '../command.ts';
import { copyFromContainer } from '../copy/from-container.ts';
import { splitCopyArgument } from '../copy/paths.ts';
import { copyToContainer } from '../copy/to-container.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tgantry cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  short:
    "Copy files/folders between a container and the local filesystem\n\nUse '-' as the source to read a tar archive from stdin\nand extract it to a directory destination in a container.\nUse '-' as the destination to stream a tar archive of a\ncontainer source to stdout.",
  aliases: 'container cp, cp',
  flags: `
  -a, --archive  Archive mode (copy all uid/gid information)
  -L, --follow-link  Always follow symbol link in SRC_PATH
  -q, --quiet  Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached
`,
  takes: exactly(2),
  async run({ session, flags, args: [from = '', to = ''] }) {
    if (from === '') throw new EngineError('invalid', 'source can not be empty');
    if (to === '') throw new EngineError('invalid', 'destination can not be empty');
    const source = splitCopyArgument(from);
    const destination = splitCopyArgument(to);
    if (source.container !== undefined && destination.container !== undefined) {
      throw new EngineError('notImplemented', 'copying between containers is not supported');
    }
    if (source.container === undefined && destination.container === undefined) {
      throw new EngineError('invalid', 'must specify at least one container source');
    }
    const options = {
      archive: flags.on('archive'),
      followLink: flags.on('follow-link'),
      quiet: flags.on('quiet'),
    };
    if (source.container !== undefined)
      await copyFromContainer(session, source.container, source.path, destination.path, options);
    else await copyToContainer(session, source.path, destination.container!, destination.path, options);
  },
};
