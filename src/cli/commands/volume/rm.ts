import { act } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { atLeast, type Command } from '../../command.ts';
import { forEach } from '../../for-each.ts';

export const command: Command = {
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  short: 'Remove one or more volumes',
  aliases: 'volume rm, volume remove',
  flags: `
  -f, --force  Force the removal of one or more volumes
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    const query = { force: flags.on('force') };
    await forEach(
      session,
      args,
      async name => void (await act(client, volumeOperations.remove, { path: { name }, query })),
    );
  },
};
