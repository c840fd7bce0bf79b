import { act } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { atLeast, type Command } from '../command.ts';
import { forEach } from '../for-each.ts';

export const command: Command = {
  usage: 'CONTAINER [CONTAINER...]',
  short: 'Pause all processes within one or more containers',
  aliases: 'container pause, pause',
  flags: '',
  takes: atLeast(1),
  async run({ session, args }) {
    const client = await session.client();
    await forEach(
      session,
      args,
      async id => void (await act(client, containerOperations.pause, { path: { id } })),
    );
  },
};
