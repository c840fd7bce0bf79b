import { type Command, noArguments } from '../../command.ts';
import { confirm } from '../../confirm.ts';
import { parseFilters } from '../../filters.ts';
import { humanSize } from '../../output/units.ts';
import { pruneBuildCache, reportPruned } from '../../prune.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Remove build cache',
  aliases: 'builder prune, buildx prune',
  flags: `
  -a, --all  Remove all unused build cache, not just dangling ones
      --filter filter  Provide filter values (e.g. "until=24h")
  -f, --force  Do not prompt for confirmation
      --keep-storage bytes  Amount of disk space to keep for cache
      --max-used-space bytes  Maximum amount of disk space allowed to keep for cache
      --min-free-space bytes  Target amount of free disk space after pruning
      --reserved-space bytes  Amount of disk space always allowed to keep for cache
`,
  takes: noArguments,
  async run({ session, flags }) {
    const all = flags.on('all');
    const what = all ? 'all build cache' : 'all dangling build cache';
    if (!flags.on('force'))
      await confirm(session, `WARNING! This will remove ${what}. Are you sure you want to continue?`);
    const options = {
      all,
      keepBytes: flags.bytes('reserved-space') || flags.bytes('keep-storage'),
      maxUsedBytes: flags.bytes('max-used-space'),
      minFreeBytes: flags.bytes('min-free-space'),
    };
    const pruned = await pruneBuildCache(await session.client(), parseFilters(flags.list('filter')), options);
    reportPruned(session, pruned);
    session.out.line(`Total reclaimed space: ${humanSize(pruned.reclaimedBytes)}`);
  },
};
