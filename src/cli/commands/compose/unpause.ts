import { anyArguments, type Command } from '../../command.ts';
import { asking, isAlive, toEach } from '../../compose/life-cycle.ts';

export const command: Command = {
  usage: '[SERVICE...]',
  short: 'Unpause services',
  flags: '',
  takes: anyArguments,
  async run(call) {
    await toEach(call, isAlive, ['Unpausing', 'Unpaused'], asking('unpause'));
  },
};
