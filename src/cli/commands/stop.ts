import { act } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { atLeast, type Command } from '../command.ts';
import { askForEach } from '../for-each.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  short: 'Stop one or more running containers',
  aliases: 'container stop, stop',
  flags: `
  -s, --signal string  Signal to send to the container
  -t, --timeout int  Seconds to wait before killing the container
#     --time int  Seconds to wait before killing the container
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    if (flags.changed('time')) session.err.line('Flag --time has been deprecated, use --timeout instead');
    const query = { t: flags.given('timeout') ?? flags.given('time'), signal: flags.given('signal') };
    await askForEach(session, args, (client, id) =>
      act(client, containerOperations.stop, { path: { id }, query }),
    );
  },
};
