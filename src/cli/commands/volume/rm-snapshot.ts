import { act } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { atLeast, type Command } from '../../command.ts';
import { forEach } from '../../for-each.ts';

export const command: Command = {
  usage: 'VOLUME SNAPSHOT [SNAPSHOT...]',
  short: 'Remove snapshots of a volume',
  flags: '',
  takes: atLeast(2),
  async run({ session, args: [name = '', ...snapshots] }) {
    const client = await session.client();
    await forEach(
      session,
      snapshots,
      async snapshot =>
        void (await act(client, volumeOperations.removeSnapshot, { path: { name, snapshot } })),
    );
  },
};
