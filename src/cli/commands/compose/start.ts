import { EngineError } from '../../../stdx/errors.ts';
import { anyArguments, type Command } from '../../command.ts';
import { asking, isRunning, toEach } from '../../compose/life-cycle.ts';
import { nameOfProject } from '../../compose/load-project.ts';

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
    if (any) return;
    const name = nameOfProject(call.session, call.groupFlags);
    throw new EngineError('notFound', `no container found for project ${JSON.stringify(name)}: not found`);
  },
};
