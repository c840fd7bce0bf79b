import { perform } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { between, type Command } from '../../command.ts';
import { fileStream } from '../../streams.ts';

export const command: Command = {
  usage: 'VOLUME [FILE|-]',
  short: 'Create a volume from a tar archive, compressed or not',
  flags: '',
  takes: between(1, 2),
  async run({ session, args: [name = '', file = '-'] }) {
    const body = file === '-' ? session.input.stream() : await fileStream(file);
    const volume = await perform(await session.client(), volumeOperations.import, { path: { name }, body });
    session.out.line(volume.Name);
  },
};
