import { controlService } from '../../../api/buildkit/control.ts';
import type { BuildCacheRecord } from '../../../api/system.ts';
import type { Client } from '../../../client/client.ts';
import { perform } from '../../../client/operation.ts';
import { systemOperations } from '../../../client/operations.ts';
import { EngineError, within } from '../../../stdx/errors.ts';
import { parseGoDuration } from '../../../stdx/go-duration.ts';
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
      --filter filter  Provide filter values (type=regular, description~=RUN, until=24h)
      --verbose  Provide a more verbose output
`,
  takes: noArguments,
  async run({ session, flags }) {
    const client = await session.client();
    const usage = await perform(client, systemOperations.diskUsage, { query: { type: 'build-cache' } });
    const wanted = await matchingIds(client, flags.list('filter'));
    const records = (usage.BuildCache ?? [])
      .filter(({ ID }) => wanted === undefined || wanted.has(ID))
      .sort((a, b) => b.Size - a.Size);
    const out = session.out;
    if (flags.on('verbose')) out.write(records.map(record => `${describe(record)}\n`).join(''));
    else if (records.length > 0) out.write(alignColumns([header, ...records.map(rowOf)]));
    out.write(totals(records));
  },
};

/** The daemon knows what a filter means. undefined: there is none, and all are wanted. */
async function matchingIds(
  client: Client,
  filters: readonly string[],
): Promise<ReadonlySet<string> | undefined> {
  if (filters.length === 0) return undefined;
  const asked = readFilters(filters);
  const { openControl } = await import('../../../client/buildkit/connections.ts');
  const control = await openControl(client);
  try {
    const { path, request, response } = controlService.diskUsage;
    const { records } = response.decode(await control.unary(path, request.encode(asked)));
    return new Set(records.map(({ id }) => id));
  } finally {
    control.close();
  }
}

/** `type=regular`, `type!=regular` and `description~=RUN` all must hold; `until` is how long nobody has used it. */
function readFilters(filters: readonly string[]): { filters: string[]; ageLimit: number } {
  const fields: string[] = [];
  let ageLimit = 0;
  for (const text of filters) {
    const [, name, operator, value = ''] = /^([^=!~]+)([!~]?=)(.*)$/s.exec(text) ?? [];
    if (name === undefined)
      throw new EngineError('invalid', `bad format of filter ${JSON.stringify(text)} (expected name=value)`);
    if (name === 'until' || name === 'unused-for')
      ageLimit = durationOf(`${JSON.stringify(name)} filter expects a duration (e.g., '24h')`, value);
    else fields.push(`${name}${operator === '=' ? '==' : operator}${JSON.stringify(value)}`);
  }
  return { filters: fields.length === 0 ? [] : [fields.join(',')], ageLimit };
}

function durationOf(what: string, duration: string): number {
  try {
    return parseGoDuration(duration);
  } catch (error) {
    throw within(what, error);
  }
}

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
