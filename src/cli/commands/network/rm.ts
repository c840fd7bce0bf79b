import { act } from '../../../client/operation.ts';
import { networkOperations } from '../../../client/operations.ts';
import { kindOf } from '../../../stdx/errors.ts';
import { told } from '../../cli.ts';
import { atLeast, type Command } from '../../command.ts';
import { ExitError } from '../../errors.ts';

export const command: Command = {
  usage: 'NETWORK [NETWORK...]',
  short: 'Remove one or more networks',
  aliases: 'network rm, network remove',
  flags: `
  -f, --force  Do not error if the network does not exist
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    let failed = false;
    for (const id of args) {
      try {
        await act(client, networkOperations.remove, { path: { id } });
        session.out.line(id);
      } catch (error) {
        if (flags.on('force') && kindOf(error) === 'notFound') continue;
        session.err.line(told(error));
        failed = true;
      }
    }
    if (failed) throw new ExitError(1, 'exit status 1');
  },
};
