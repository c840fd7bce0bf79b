import { act } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { type Command, exactly } from '../../command.ts';

export const command: Command = {
  usage: 'VOLUME NEW_NAME',
  short: 'Rename a volume, also in the containers that have it',
  flags: '',
  takes: exactly(2),
  async run({ session, args: [from = '', name = ''] }) {
    await act(await session.client(), volumeOperations.rename, { path: { name: from }, query: { name } });
  },
};
