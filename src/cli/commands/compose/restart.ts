import { act } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';
import { anyArguments, type Command } from '../../command.ts';
import { toEach } from './life-cycle.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Restart service containers',
  flags: `
  -t, --timeout int  Specify a shutdown timeout in seconds
`,
  takes: anyArguments,
  async run(call) {
    const query = { t: call.flags.given('timeout') };
    await toEach(
      call,
      () => true,
      ['Restarting', 'Started'],
      async (session, { id }) =>
        act(await session.client(), containerOperations.restart, { path: { id }, query }),
    );
  },
};
