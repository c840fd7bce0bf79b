import { act } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { atLeast, type Command } from '../command.ts';
import { askForEach } from '../for-each.ts';

export const command: Command = {
  usage: 'CONTAINER [CONTAINER...]',
  short: 'Pause all processes within one or more containers',
  aliases: 'container pause, pause',
  flags: '',
  takes: atLeast(1),
  async run({ session, args }) {
    await askForEach(session, args, (client, id) => act(client, containerOperations.pause, { path: { id } }));
  },
};
