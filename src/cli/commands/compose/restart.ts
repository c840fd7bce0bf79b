import { anyArguments, type Command } from '../../command.ts';
import { asking, toEach } from '../../compose/life-cycle.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Restart service containers',
  flags: `
  -t, --timeout int  Specify a shutdown timeout in seconds
`,
  takes: anyArguments,
  async run(call) {
    await toEach(
      call,
      () => true,
      ['Restarting', 'Started'],
      asking('restart', { t: call.flags.given('timeout') }),
    );
  },
};
