import { type Command, noArguments } from '../../command.ts';
import { confirm } from '../../confirm.ts';
import { parseFilters } from '../../filters.ts';
import { pruneImages, reportPruned, reportReclaimed } from '../../prune.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Remove unused images',
  flags: `
  -a, --all  Remove all unused images, not just dangling ones
      --filter filter  Provide filter values (e.g. "until=<timestamp>")
  -f, --force  Do not prompt for confirmation
`,
  takes: noArguments,
  async run({ session, flags }) {
    const all = flags.on('all');
    const warning = all
      ? 'WARNING! This will remove all images without at least one container associated to them.'
      : 'WARNING! This will remove all dangling images.';
    if (!flags.on('force')) await confirm(session, `${warning}\nAre you sure you want to continue?`);
    const pruned = await pruneImages(await session.client(), parseFilters(flags.list('filter')), { all });
    reportPruned(session, pruned);
    reportReclaimed(session, pruned.reclaimedBytes);
  },
};
