import { type Command, noArguments } from '../../command.ts';
import { confirm } from '../../confirm.ts';
import { parseFilters } from '../../filters.ts';
import { pruneVolumes, reportPruned, reportReclaimed } from '../../prune.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Remove unused local volumes',
  flags: `
  -a, --all  Remove all unused volumes, not just anonymous ones
      --filter filter  Provide filter values (e.g. "label=<label>")
  -f, --force  Do not prompt for confirmation
`,
  takes: noArguments,
  async run({ session, flags }) {
    const all = flags.on('all');
    const which = all ? 'all local volumes' : 'anonymous local volumes';
    if (!flags.on('force'))
      await confirm(
        session,
        `WARNING! This will remove ${which} not used by at least one container.\nAre you sure you want to continue?`,
      );
    const pruned = await pruneVolumes(await session.client(), parseFilters(flags.list('filter')), { all });
    reportPruned(session, pruned);
    reportReclaimed(session, pruned.reclaimedBytes);
  },
};
