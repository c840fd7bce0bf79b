import { anyArguments, type Command } from '../../command.ts';
import { asking, isAlive, toEach } from '../../compose/life-cycle.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Force stop service containers',
  flags: `
      --remove-orphans  Kill containers of services that are not in the Compose file, too
  -s, --signal string  SIGNAL to send to the container (default "SIGKILL")
`,
  takes: anyArguments,
  async run(call) {
    const { session, flags } = call;
    const killed = await toEach(
      call,
      isAlive,
      ['Killing', 'Killed'],
      asking('kill', { signal: flags.string('signal') }),
      { orphans: flags.on('remove-orphans') },
    );
    if (killed.length === 0) session.err.line('no container to kill');
  },
};
