import { act } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';
import { anyArguments, type Command } from '../../command.ts';
import { asking, isAlive, toEach } from '../../compose/life-cycle.ts';
import { projectContainers } from '../../compose/service-containers.ts';
import { confirm } from '../../confirm.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'Removes stopped service containers',
  flags: `
  -f, --force  Don't ask to confirm removal
  -s, --stop  Stop the containers, if required, before removing
  -v, --volumes  Remove any anonymous volumes attached to containers
`,
  takes: anyArguments,
  async run(call) {
    const { session, flags, groupFlags, args } = call;
    const stops = flags.on('stop');
    const { containers, project } = await projectContainers(session, groupFlags, args);
    const going = containers.filter(
      container =>
        (stops || !isAlive(container)) &&
        (project === undefined || project.services[container.service] !== undefined),
    );
    if (going.length === 0) {
      session.err.line('No stopped containers');
      return;
    }
    const names = going.map(({ name }) => name).join(', ');
    if (!flags.on('force')) await confirm(session, `Going to remove ${names}`);
    const ids = new Set(going.map(({ id }) => id));
    await toEach(
      call,
      ({ id }) => ids.has(id),
      ['Removing', 'Removed'],
      async (_, container, project) => {
        const client = await session.client();
        const { id } = container;
        if (stops) await asking('stop')(session, container, project);
        await act(client, containerOperations.remove, { path: { id }, query: { v: flags.on('volumes') } });
      },
    );
  },
};
