import { act } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { atLeast, type Command } from '../command.ts';
import { askForEach } from '../for-each.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  short: 'Kill one or more running containers',
  aliases: 'container kill, kill',
  flags: `
  -s, --signal string  Signal to send to the container
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const query = { signal: flags.given('signal') };
    await askForEach(session, args, (client, id) =>
      act(client, containerOperations.kill, { path: { id }, query }),
    );
  },
};
