import { act } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';
import { anyArguments, type Command } from '../../command.ts';
import { toEach } from './life-cycle.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Force stop service containers',
  flags: `
  -s, --signal string  SIGNAL to send to the container (default "SIGKILL")
`,
  takes: anyArguments,
  async run(call) {
    const query = { signal: call.flags.string('signal') };
    await toEach(
      call,
      ({ summary }) => ['running', 'paused', 'restarting'].includes(summary.State),
      ['Killing', 'Killed'],
      async (session, { id }) =>
        act(await session.client(), containerOperations.kill, { path: { id }, query }),
    );
  },
};
