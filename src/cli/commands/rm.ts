import { ApiError } from '../../client/api-error.ts';
import { act } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { kindOf } from '../../stdx/errors.ts';
import { told } from '../cli.ts';
import { atLeast, type Command } from '../command.ts';
import { forEach } from '../for-each.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  short: 'Remove one or more containers',
  aliases: 'container rm, container remove, rm',
  flags: `
  -f, --force  Force the removal of a running container (uses SIGKILL)
  -l, --link  Remove the specified link
  -v, --volumes  Remove anonymous volumes associated with the container
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    const query = { force: flags.on('force'), v: flags.on('volumes'), link: flags.on('link') };
    await forEach(session, args, async name => {
      const id = name.replace(/^\/+|\/+$/g, '');
      if (id === '') throw new ApiError(400, 'Container name cannot be empty');
      try {
        await act(client, containerOperations.remove, { path: { id }, query });
      } catch (error) {
        // With force, what is not there is as good as removed; it is told all the same.
        if (!query.force || kindOf(error) !== 'notFound') throw error;
        session.err.line(told(error));
        return null;
      }
      return name;
    });
  },
};
