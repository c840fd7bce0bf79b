import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { asking, isRunning, toEach } from '../../compose/life-cycle.ts';

export const command: Command = {
  usage: '[SERVICE...]',
  short: 'Start services',
  flags: '',
  takes: anyArguments,
  async run(call) {
    let any = false;
    await toEach(
      call,
      container => {
        any = true;
        return !isRunning(container);
      },
      ['Starting', 'Started'],
      asking('start'),
    );
    if (!any)
      throw new EngineError('notFound', 'there is no container to start: gantry compose up makes them');
  },
};
