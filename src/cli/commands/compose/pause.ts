import { anyArguments, type Command } from '../../command.ts';
import { asking, isRunning, toEach } from '../../compose/life-cycle.ts';

export const command: Command = {
  usage: '[SERVICE...]',
  short: 'Pause services',
  flags: '',
  takes: anyArguments,
  async run(call) {
    await toEach(call, isRunning, ['Pausing', 'Paused'], asking('pause'));
  },
};
