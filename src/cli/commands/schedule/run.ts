import { act } from '../../../client/operation.ts';
import { scheduleOperations } from '../../../client/operations.ts';
import { atLeast, type Command } from '../../command.ts';
import { forEach } from '../../for-each.ts';
import { ofGantryd } from '../../of-gantryd.ts';

export const command: Command = {
  usage: 'CONTAINER [CONTAINER...]',
  short: 'Start one or more containers now, out of their turn',
  flags: '',
  takes: atLeast(1),
  async run({ session, args }) {
    const client = await session.client();
    await forEach(session, args, async id => {
      await ofGantryd('running a schedule', () => act(client, scheduleOperations.run, { path: { id } }));
    });
  },
};
