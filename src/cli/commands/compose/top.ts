import { anyArguments, type Command } from '../../command.ts';
import { isRunning } from '../../compose/life-cycle.ts';
import { runOther } from '../../compose/run-other.ts';
import { projectContainers } from '../../compose/service-containers.ts';
import { command as topCommand } from '../top.ts';

export const command: Command = {
  usage: '[SERVICES...]',
  short: 'Display the running processes',
  flags: '',
  takes: anyArguments,
  async run({ session, groupFlags, args }) {
    const { containers } = await projectContainers(session, groupFlags, args);
    for (const { id, name } of containers.filter(isRunning)) {
      session.out.line(name);
      await runOther(session, 'top', topCommand, [id]);
      session.out.line('');
    }
  },
};
