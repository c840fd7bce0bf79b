import { anyArguments, type Command } from '../../command.ts';
import { asking, isAlive, toEach } from '../../compose/life-cycle.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Force stop service containers',
  flags: `
  -s, --signal string  SIGNAL to send to the container (default "SIGKILL")
`,
  takes: anyArguments,
  async run(call) {
    await toEach(
      call,
      isAlive,
      ['Killing', 'Killed'],
      asking('kill', { signal: call.flags.string('signal') }),
    );
  },
};
