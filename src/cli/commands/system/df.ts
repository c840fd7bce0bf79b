import type { BuildCacheRecord, DiskUsageResponse } from '../../../api/system.ts';
import { perform } from '../../../client/operation.ts';
import { systemOperations } from '../../../client/operations.ts';
import { humanDuration } from '../../../stdx/human-duration.ts';
import { goType, type TemplateStruct } from '../../../stdx/template/values.ts';
import { type Command, noArguments } from '../../command.ts';
import { type ListLayout, listFormatFlag, printList, readTemplate, rowOf } from '../../output/list.ts';
import { alignColumns } from '../../output/table.ts';
import { humanSize } from '../../output/units.ts';
import type { Session } from '../../session.ts';
import { type ImageRow, imageLayout, imageRows } from '../images.ts';
import { containerLayout } from '../ps.ts';
import { volumeLayout } from '../volume/ls.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'Show disk usage',
  flags: `
${listFormatFlag}
  -v, --verbose  Show detailed information on space usage
`,
  takes: noArguments,
  async run({ session, flags }) {
    const format = flags.string('format');
    const usage = await perform(await session.client(), systemOperations.diskUsage, {});
    if (!flags.on('verbose')) return printList(session.out, summaryLayout, summarize(usage), { format });
    if (format === '' || format === 'table') return printVerbose(session, usage);
    session.out.write(readTemplate(format === 'json' ? '{{json .}}' : format).run(verboseRows(usage)));
  },
};

interface Summary {
  type: string;
  total: number;
  active: number;
  sizeBytes: number;
  reclaimable: string;
}

const summaryLayout: ListLayout<Summary> = {
  typeName: '*formatter.diskUsageImagesContext',
  headers: { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' },
  columns: ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable'],
  raw: [
    ['type', 'Type'],
    ['total', 'TotalCount'],
    ['active', 'Active'],
    ['size', 'Size'],
    ['reclaimable', 'Reclaimable'],
  ],
  row: summary => ({
    Type: summary.type,
    TotalCount: String(summary.total),
    Active: String(summary.active),
    Size: humanSize(summary.sizeBytes),
    Reclaimable: summary.reclaimable,
  }),
};

function summarize(usage: DiskUsageResponse): Summary[] {
  const images = usage.Images ?? [];
  const containers = usage.Containers ?? [];
  const volumes = usage.Volumes ?? [];
  const cache = usage.BuildCache ?? [];
  const usedImages = images.filter(({ Containers }) => Containers > 0);
  const usedImageBytes = sum(
    usedImages.map(image => (image.SharedSize === -1 ? 0 : image.Size - image.SharedSize)),
  );
  const liveContainers = containers.filter(({ State }) =>
    ['running', 'paused', 'restarting'].includes(State),
  );
  const containerBytes = sum(containers.map(({ SizeRw }) => SizeRw ?? 0));
  const usedVolumes = volumes.filter(({ UsageData }) => (UsageData?.RefCount ?? 0) > 0);
  const volumeBytes = (some: typeof volumes) =>
    sum(some.map(({ UsageData }) => Math.max(0, UsageData?.Size ?? 0)));
  const cacheBytes = sum(cache.filter(({ Shared }) => !Shared).map(({ Size }) => Size));
  const cacheInUse = sum(cache.filter(({ InUse, Shared }) => InUse && !Shared).map(({ Size }) => Size));
  return [
    {
      type: 'Images',
      total: images.length,
      active: usedImages.length,
      sizeBytes: usage.LayersSize,
      reclaimable: withShare(usage.LayersSize - usedImageBytes, usage.LayersSize),
    },
    {
      type: 'Containers',
      total: containers.length,
      active: liveContainers.length,
      sizeBytes: containerBytes,
      reclaimable: withShare(
        containerBytes - sum(liveContainers.map(({ SizeRw }) => SizeRw ?? 0)),
        containerBytes,
      ),
    },
    {
      type: 'Local Volumes',
      total: volumes.length,
      active: usedVolumes.length,
      sizeBytes: volumeBytes(volumes),
      reclaimable: withShare(volumeBytes(volumes) - volumeBytes(usedVolumes), volumeBytes(volumes)),
    },
    {
      type: 'Build Cache',
      total: cache.length,
      active: cache.filter(({ InUse }) => InUse).length,
      sizeBytes: cacheBytes,
      reclaimable: humanSize(cacheBytes - cacheInUse),
    },
  ];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function withShare(reclaimableBytes: number, totalBytes: number): string {
  const size = humanSize(reclaimableBytes);
  return totalBytes > 0 ? `${size} (${Math.trunc((reclaimableBytes * 100) / totalBytes)}%)` : size;
}

/** All that `-v` shows, for a template: rows of the lists the things have of their own, with ids in full. */
function verboseRows(usage: DiskUsageResponse): TemplateStruct {
  const images = imageLayout({ truncate: false, digests: false });
  const containers = containerLayout({ truncate: false, size: true });
  return {
    [goType]: '*formatter.diskUsageContext',
    // An image is shown once, whatever its digests.
    Images: firstNames(usage).map(row => ({ ...rowOf(images, row), Digest: '' })),
    Containers: (usage.Containers ?? []).map(row => rowOf(containers, { ...row, SizeRootFs: 0 })),
    Volumes: (usage.Volumes ?? []).map(row => rowOf(volumeLayout, row)),
    BuildCache: (usage.BuildCache ?? []).map(row => rowOf(cacheLayout, row)),
  };
}

/** Images under one of their names each. */
function firstNames(usage: DiskUsageResponse): ImageRow[] {
  return (usage.Images ?? []).flatMap(image => imageRows([image], false).slice(0, 1));
}

const cacheLayout: ListLayout<BuildCacheRecord> = {
  typeName: '*formatter.buildCacheContext',
  headers: {
    ID: 'CACHE ID',
    CacheType: 'CACHE TYPE',
    Size: 'SIZE',
    CreatedSince: 'CREATED',
    LastUsedSince: 'LAST USED',
    UsageCount: 'USAGE',
    Shared: 'SHARED',
  },
  columns: ['ID', 'CacheType', 'Size', 'CreatedSince', 'LastUsedSince', 'UsageCount', 'Shared'],
  row: record => ({
    ID: record.ID.slice(0, 12),
    Parent: (record.Parents ?? []).join(', ') || (record.Parent ?? ''),
    CacheType: record.Type,
    Description: record.Description,
    Size: humanSize(record.Size, 3),
    CreatedSince: `${humanDuration(Date.now() - Date.parse(record.CreatedAt))} ago`,
    LastUsedSince: record.LastUsedAt
      ? `${humanDuration(Date.now() - Date.parse(record.LastUsedAt))} ago`
      : '',
    UsageCount: String(record.UsageCount),
    InUse: String(record.InUse),
    Shared: String(record.Shared),
  }),
};

function printVerbose({ out }: Session, usage: DiskUsageResponse): void {
  const ago = (seconds: number) => `${humanDuration(Date.now() - seconds * 1000)} ago`;
  const images = firstNames(usage).map(({ image, repository, tag }) => [
    repository,
    tag,
    image.Id.replace(/^sha256:/, '').slice(0, 12),
    ago(image.Created),
    humanSize(image.Size, 3),
    image.SharedSize === -1 ? 'N/A' : humanSize(image.SharedSize),
    image.SharedSize === -1 ? 'N/A' : humanSize(image.Size - image.SharedSize),
    String(image.Containers),
  ]);
  const layout = containerLayout({ truncate: true, size: true });
  const fields = ['ID', 'Image', 'Command', 'LocalVolumes', 'Size', 'RunningFor', 'Status', 'Names'];
  const containers = (usage.Containers ?? []).map(container => {
    const row = layout.row({ ...container, SizeRootFs: 0 });
    return fields.map(field =>
      String(typeof row[field] === 'function' ? (row[field] as () => unknown)() : row[field]),
    );
  });
  const volumes = (usage.Volumes ?? []).map(({ Name, UsageData }) => [
    Name,
    String(UsageData?.RefCount ?? 'N/A'),
    UsageData ? humanSize(UsageData.Size) : 'N/A',
  ]);
  const cache = usage.BuildCache ?? [];
  const cacheRows = cache.map(record => {
    const row = rowOf(cacheLayout, record);
    return cacheLayout.columns.map(column => String(row[column]));
  });
  const cacheBytes = sum(cache.filter(({ Shared }) => !Shared).map(({ Size }) => Size));
  out.write(`Images space usage:\n\n${alignColumns([['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE', 'SHARED SIZE', 'UNIQUE SIZE', 'CONTAINERS'], ...images])}
Containers space usage:\n\n${alignColumns([['CONTAINER ID', 'IMAGE', 'COMMAND', 'LOCAL VOLUMES', 'SIZE', 'CREATED', 'STATUS', 'NAMES'], ...containers])}
Local Volumes space usage:\n\n${alignColumns([['VOLUME NAME', 'LINKS', 'SIZE'], ...volumes])}
Build cache usage: ${humanSize(cacheBytes)}\n\n${alignColumns([cacheLayout.columns.map(column => cacheLayout.headers[column]!), ...cacheRows])}`);
}
