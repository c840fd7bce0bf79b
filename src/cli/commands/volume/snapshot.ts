import { perform } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { between, type Command } from '../../command.ts';

export const command: Command = {
  usage: '[OPTIONS] VOLUME [SNAPSHOT]',
  short: 'Keep a copy of what is in a volume now, beside it',
  flags: `
      --no-pause  Do not pause the containers that use the volume while it is copied
`,
  takes: between(1, 2),
  async run({ session, flags, args: [name = '', snapshot = ''] }) {
    const query = { name: snapshot, pause: !flags.on('no-pause') };
    const made = await perform(await session.client(), volumeOperations.snapshot, { path: { name }, query });
    session.out.line(made.Name);
  },
};
