import type { Volume } from '../../../api/volumes.ts';
import { encodeFilters, perform } from '../../../client/operation.ts';
import { volumeOperations } from '../../../client/operations.ts';
import { type Command, noArguments } from '../../command.ts';
import { parseFilters } from '../../filters.ts';
import { joinLabels, type ListLayout, listFormatFlag, printList } from '../../output/list.ts';
import { naturalOrder } from '../../output/natural-order.ts';
import { humanSize } from '../../output/units.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'List volumes',
  aliases: 'volume ls, volume list',
  flags: `
  -f, --filter filter  Provide filter values (e.g. "dangling=true")
${listFormatFlag}
  -q, --quiet  Only display volume names
!     --cluster  volumes of a cluster need Swarm, which there is not
`,
  takes: noArguments,
  async run({ session, flags }) {
    const query = { filters: encodeFilters(parseFilters(flags.list('filter'))) };
    const volumes = (await perform(await session.client(), volumeOperations.list, { query })).Volumes ?? [];
    volumes.sort((left, right) => naturalOrder(left.Name, right.Name));
    const format =
      flags.string('format') || (flags.on('quiet') ? '' : (session.config().volumesFormat ?? ''));
    printList(session.out, volumeLayout, volumes, { format, quiet: flags.on('quiet') });
  },
};

export const volumeLayout: ListLayout<Volume> = {
  typeName: '*formatter.volumeContext',
  headers: {
    Name: 'VOLUME NAME',
    Driver: 'DRIVER',
    Scope: 'SCOPE',
    Availability: 'AVAILABILITY',
    Mountpoint: 'MOUNTPOINT',
    Labels: 'LABELS',
    Links: 'LINKS',
    Size: 'SIZE',
    Group: 'GROUP',
    Status: 'STATUS',
  },
  columns: ['Driver', 'Name'],
  quietField: 'Name',
  raw: [
    ['name', 'Name'],
    ['driver', 'Driver'],
  ],
  row: volume => ({
    Name: volume.Name,
    Driver: volume.Driver,
    Scope: volume.Scope,
    Mountpoint: volume.Mountpoint,
    Labels: () => joinLabels(volume.Labels),
    Label: (name: string) => volume.Labels?.[name] ?? '',
    Links: () => (volume.UsageData ? String(volume.UsageData.RefCount) : 'N/A'),
    Size: () => (volume.UsageData ? humanSize(volume.UsageData.Size) : 'N/A'),
    Availability: 'N/A',
    Group: 'N/A',
    Status: 'N/A',
  }),
};
