import { restartGroups } from '../../../compose/plan/restart.ts';
import { anyArguments, type Command } from '../../command.ts';
import { asking, toEach } from '../../compose/life-cycle.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Restart service containers',
  flags: `
      --no-deps  Don't restart dependent services
  -t, --timeout int  Specify a shutdown timeout in seconds
`,
  takes: anyArguments,
  async run(call) {
    const { flags, args } = call;
    await toEach(
      call,
      () => true,
      ['Restarting', 'Started'],
      asking('restart', { t: flags.given('timeout') }),
      { groups: project => restartGroups(project, args, !flags.on('no-deps')) },
    );
  },
};
