import type { BuildCacheRecord } from '../../../api/system.ts';
import { perform } from '../../../client/operation.ts';
import { systemOperations } from '../../../client/operations.ts';
import { humanDuration } from '../../../stdx/human-duration.ts';
import { type Command, noArguments } from '../../command.ts';
import { alignColumns } from '../../output/table.ts';
import { humanSize } from '../../output/units.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Disk usage of the build cache',
  aliases: 'builder du, buildx du',
  flags: `
!     --builder string  there is one builder, the daemon's own
!     --filter filter  all records are shown
      --verbose  Provide a more verbose output
`,
  takes: noArguments,
  async run({ session, flags }) {
    const client = await session.client();
    const usage = await perform(client, systemOperations.diskUsage, { query: { type: 'build-cache' } });
    const records = [...(usage.BuildCache ?? [])].sort((a, b) => b.Size - a.Size);
    const out = session.out;
    if (flags.on('verbose')) out.write(records.map(record => `${describe(record)}\n`).join(''));
    else if (records.length > 0) out.write(alignColumns([header, ...records.map(rowOf)]));
    out.write(totals(records));
  },
};

const header = ['ID', 'RECLAIMABLE', 'SIZE', 'LAST ACCESSED'];

/** A star behind the size: an image or another record has it as well. */
function rowOf(record: BuildCacheRecord): string[] {
  const size = `${humanSize(record.Size)}${record.Shared ? '*' : ''}`;
  return [record.ID, String(!record.InUse), size, usedAgo(record)];
}

function usedAgo({ LastUsedAt }: BuildCacheRecord): string {
  const timeMs = Date.parse(LastUsedAt ?? '');
  return Number.isNaN(timeMs) ? '' : `${humanDuration(Date.now() - timeMs)} ago`;
}

function describe(record: BuildCacheRecord): string {
  const parents = record.Parents ?? (record.Parent ? [record.Parent] : []);
  const line = (name: string, value: string): string =>
    value === '' ? '' : `${`${name}:`.padEnd(14)}${value}\n`;
  return [
    line('ID', record.ID),
    parents.length === 0 ? '' : `Parents:\n${parents.map(parent => ` - ${parent}\n`).join('')}`,
    line('Created at', record.CreatedAt),
    line('Reclaimable', String(!record.InUse)),
    line('Shared', String(record.Shared)),
    line('Size', humanSize(record.Size)),
    line('Description', record.Description),
    line('Usage count', String(record.UsageCount)),
    line('Last used', usedAgo(record)),
    line('Type', record.Type),
  ].join('');
}

/** What is shared with images is not the cache's alone. */
function totals(records: readonly BuildCacheRecord[]): string {
  const sum = (some: (record: BuildCacheRecord) => boolean): number =>
    records.filter(some).reduce((bytes, { Size }) => bytes + Size, 0);
  const shared = sum(record => record.Shared);
  const lines: [name: string, bytes: number][] = [
    ...(shared > 0
      ? ([
          ['Shared', shared],
          ['Private', sum(record => !record.Shared)],
        ] as [string, number][])
      : []),
    ['Reclaimable', sum(record => !record.InUse)],
    ['Total', sum(() => true)],
  ];
  return lines
    .map(([name, bytes]) => `${name}:${name.length < 7 ? '\t\t' : '\t'}${humanSize(bytes)}\n`)
    .join('');
}
