import { type Command, noArguments } from '../../command.ts';
import { confirm } from '../../confirm.ts';
import { parseFilters } from '../../filters.ts';
import { pruneContainers, reportPruned, reportReclaimed } from '../../prune.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Remove all stopped containers',
  flags: `
      --filter filter  Provide filter values (e.g. "until=<timestamp>")
  -f, --force  Do not prompt for confirmation
`,
  takes: noArguments,
  async run({ session, flags }) {
    if (!flags.on('force'))
      await confirm(
        session,
        'WARNING! This will remove all stopped containers.\nAre you sure you want to continue?',
      );
    const pruned = await pruneContainers(await session.client(), parseFilters(flags.list('filter')));
    reportPruned(session, pruned);
    reportReclaimed(session, pruned.reclaimedBytes);
  },
};
