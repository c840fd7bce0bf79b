import { type Command, noArguments } from '../../command.ts';
import { confirm } from '../../confirm.ts';
import { parseFilters } from '../../filters.ts';
import { pruneNetworks, reportPruned } from '../../prune.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Remove all unused networks',
  flags: `
      --filter filter  Provide filter values (e.g. "until=<timestamp>")
  -f, --force  Do not prompt for confirmation
`,
  takes: noArguments,
  async run({ session, flags }) {
    if (!flags.on('force'))
      await confirm(
        session,
        'WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue?',
      );
    const pruned = await pruneNetworks(await session.client(), parseFilters(flags.list('filter')));
    reportPruned(session, pruned);
  },
};
