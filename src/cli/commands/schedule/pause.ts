import { act } from '../../../client/operation.ts';
import { scheduleOperations } from '../../../client/operations.ts';
import { atLeast, type Command } from '../../command.ts';
import { forEach } from '../../for-each.ts';
import { ofGantryd } from '../../of-gantryd.ts';

export const command: Command = {
  usage: 'CONTAINER [CONTAINER...]',
  short: 'Pause one or more schedules',
  flags: '',
  takes: atLeast(1),
  async run({ session, args }) {
    const client = await session.client();
    await forEach(session, args, async id => {
      await ofGantryd('pausing a schedule', () => act(client, scheduleOperations.pause, { path: { id } }));
    });
  },
};
