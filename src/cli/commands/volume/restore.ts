import { act } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { type Command, exactly } from '../../command.ts';

export const command: Command = {
  usage: 'VOLUME SNAPSHOT',
  short: 'Make a volume again what it was when a snapshot was made',
  flags: '',
  takes: exactly(2),
  async run({ session, args: [name = '', snapshot = ''] }) {
    await act(await session.client(), volumeOperations.restore, { path: { name, snapshot } });
  },
};
