import { anyArguments, type Command } from '../../command.ts';
import { asking, isAlive, toEach } from '../../compose/life-cycle.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Stop services',
  flags: `
  -t, --timeout int  Specify a shutdown timeout in seconds
`,
  takes: anyArguments,
  async run(call) {
    await toEach(call, isAlive, ['Stopping', 'Stopped'], asking('stop', { t: call.flags.given('timeout') }));
  },
};
