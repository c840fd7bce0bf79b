import { act } from '../../../client/operation.ts';
import { secretOperations } from '../../../client/operations.ts';
import { atLeast, type Command } from '../../command.ts';
import { askForEach } from '../../for-each.ts';

export const command: Command = {
  usage: 'SECRET [SECRET...]',
  short: 'Remove one or more secrets',
  aliases: 'secret rm, secret remove',
  flags: '',
  takes: atLeast(1),
  async run({ session, args }) {
    await askForEach(session, args, (client, id) => act(client, secretOperations.remove, { path: { id } }));
  },
};
