import { EngineError } from '../../../stdx/errors.ts';
import { type Command, noArguments } from '../../command.ts';
import { confirm } from '../../confirm.ts';
import { parseFilters } from '../../filters.ts';
import {
  type Pruned,
  pruneBuildCache,
  pruneContainers,
  pruneImages,
  pruneNetworks,
  pruneVolumes,
  reportPruned,
  reportReclaimed,
} from '../../prune.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Remove unused data',
  flags: `
  -a, --all  Remove all unused images not just dangling ones
      --filter filter  Provide filter values (e.g. "label=<key>=<value>")
  -f, --force  Do not prompt for confirmation
      --volumes  Prune anonymous volumes
`,
  takes: noArguments,
  async run({ session, flags }) {
    const all = flags.on('all');
    const volumes = flags.on('volumes');
    const filters = parseFilters(flags.list('filter'));
    if (volumes && filters.has('until'))
      throw new EngineError('invalid', 'ERROR: The "until" filter is not supported with "--volumes"');
    if (!flags.on('force')) await confirm(session, warning({ all, volumes, filters: flags.list('filter') }));
    const client = await session.client();
    const done: Pruned[] = [await pruneContainers(client, filters), await pruneNetworks(client, filters)];
    if (volumes) done.push(await pruneVolumes(client, filters, { all: false }));
    done.push(
      await pruneImages(client, filters, { all }),
      await pruneBuildCache(client, filters, { all, keepBytes: 0 }),
    );
    for (const pruned of done) reportPruned(session, pruned);
    reportReclaimed(
      session,
      done.reduce((sum, { reclaimedBytes }) => sum + reclaimedBytes, 0),
    );
  },
};

function warning({ all, volumes, filters }: { all: boolean; volumes: boolean; filters: string[] }): string {
  const lines = ['all stopped containers', 'all networks not used by at least one container'];
  if (volumes) lines.push('all anonymous volumes not used by at least one container');
  lines.push(all ? 'all images without at least one container associated to them' : 'all dangling images');
  lines.push(all ? 'all build cache' : 'unused build cache');
  const limits =
    filters.length === 0
      ? ''
      : `\n  Items to be pruned will be filtered with:\n${filters.map(filter => `  - ${filter}\n`).join('')}`;
  return `WARNING! This will remove:\n${lines.map(line => `  - ${line}\n`).join('')}${limits}\nAre you sure you want to continue?`;
}
