import { perform } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { type Command, exactly } from '../../command.ts';
import { alignColumns } from '../../output/table.ts';

export const command: Command = {
  usage: '[OPTIONS] VOLUME',
  short: 'List the snapshots of a volume, oldest first',
  flags: `
  -q, --quiet  Only display names
`,
  takes: exactly(1),
  async run({ session, flags, args: [name = ''] }) {
    const client = await session.client();
    const snapshots = await perform(client, volumeOperations.snapshots, { path: { name } });
    if (flags.on('quiet')) for (const { Name } of snapshots) session.out.line(Name);
    else {
      const rows = snapshots.map(({ Name, CreatedAt }) => [Name, CreatedAt]);
      session.out.write(alignColumns([['SNAPSHOT', 'CREATED'], ...rows]));
    }
  },
};
