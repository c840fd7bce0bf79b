import type { ContainerSummary } from '../../api/containers.ts';
import { encodeFilters, perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError, messageOf } from '../../stdx/errors.ts';
import { humanDuration } from '../../stdx/human-duration.ts';
import { Template } from '../../stdx/template/template.ts';
import { Typed } from '../../stdx/template/values.ts';
import { type Command, noArguments } from '../command.ts';
import { parseFilters } from '../filters.ts';
import { joinLabels, type ListLayout, listFormatFlag, printList, rowOf } from '../output/list.ts';
import { describePorts } from '../output/ports.ts';
import { ellipsis } from '../output/table.ts';
import { goLocalTime, humanSize } from '../output/units.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'List containers',
  aliases: 'container ls, container list, container ps, ps',
  flags: `
  -a, --all  Show all containers (default shows just running)
  -f, --filter filter  Filter output based on conditions provided
${listFormatFlag}
  -n, --last int  Show n last created containers (includes all states) (default -1)
  -l, --latest  Show the latest created container (includes all states)
      --no-trunc  Don't truncate output
  -q, --quiet  Only display container IDs
  -s, --size  Display total file sizes
`,
  takes: noArguments,
  async run({ session, flags }) {
    const quiet = flags.on('quiet');
    const given = flags.string('format');
    if (given !== '') checkFormat(given);
    if (given !== '' && quiet) {
      session.err.line('WARNING: Ignoring custom format, because both --format and --quiet are set.');
    }
    const format = quiet ? '' : given || (session.config().psFormat ?? '');
    const last = flags.on('latest') && !flags.changed('last') ? 1 : flags.integer('last');
    const withSize = flags.on('size') || /\.Size\b|json \.\W/.test(format);
    const query = {
      all: flags.on('all') || last > 0,
      limit: last > 0 ? last : undefined,
      size: withSize,
      filters: encodeFilters(parseFilters(flags.list('filter'))),
    };
    const containers = await perform(await session.client(), containerOperations.list, { query });
    const layout = containerLayout({ truncate: !flags.on('no-trunc'), size: flags.on('size') });
    printList(session.out, layout, containers, { format, quiet });
  },
};

/** As docker does it before it asks the daemon: a template must be able to show a container of which nothing is known. */
function checkFormat(format: string): void {
  const nothing: ContainerSummary = {
    Id: '',
    Names: [],
    Image: '',
    ImageID: '',
    Command: '',
    Created: 0,
    Ports: [],
    Labels: {},
    State: 'created',
    Status: '',
    Mounts: [],
    HostConfig: {},
    NetworkSettings: { Networks: {} },
  };
  let template: Template;
  try {
    template = new Template(format);
  } catch (error) {
    throw new EngineError('invalid', `failed to parse template: ${messageOf(error)}`, { cause: error });
  }
  try {
    template.run(rowOf(containerLayout({ truncate: false, size: false }), nothing));
  } catch (error) {
    throw new EngineError('invalid', `failed to execute template: ${messageOf(error)}`, { cause: error });
  }
}

export function containerLayout({
  truncate,
  size,
}: {
  truncate: boolean;
  size: boolean;
}): ListLayout<ContainerSummary> {
  const columns = ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Ports', 'Names'];
  return {
    typeName: '*formatter.ContainerContext',
    headers: {
      ID: 'CONTAINER ID',
      Names: 'NAMES',
      Image: 'IMAGE',
      Command: 'COMMAND',
      CreatedAt: 'CREATED AT',
      RunningFor: 'CREATED',
      Ports: 'PORTS',
      State: 'STATE',
      Status: 'STATUS',
      Size: 'SIZE',
      Labels: 'LABELS',
      Mounts: 'MOUNTS',
      LocalVolumes: 'LOCAL VOLUMES',
      Networks: 'NETWORKS',
      Platform: 'PLATFORM',
    },
    columns: size ? [...columns, 'Size'] : columns,
    quietField: 'ID',
    raw: [
      ['container_id', 'ID'],
      ['image', 'Image'],
      ['command', 'Command'],
      ['created_at', 'CreatedAt'],
      ['state', 'State'],
      ['status', 'Status'],
      ['names', 'Names'],
      ['labels', 'Labels'],
      ['ports', 'Ports'],
      ...(size ? [['size', 'Size'] as const] : []),
    ],
    row: container => containerRow(container, truncate),
  };
}

function containerRow(container: ContainerSummary, truncate: boolean): Record<string, unknown> {
  return {
    ID: () => (truncate ? container.Id.slice(0, 12) : container.Id),
    Names: () => names(container, truncate),
    Image: () => image(container, truncate),
    Command: () => JSON.stringify(truncate ? ellipsis(container.Command, 20) : container.Command),
    CreatedAt: () => goLocalTime(container.Created * 1000),
    RunningFor: () => `${humanDuration(Date.now() - container.Created * 1000)} ago`,
    Ports: () => describePorts(container.Ports),
    State: container.State,
    Status: container.Status,
    Size: () => sizeOf(container),
    Labels: () => joinLabels(container.Labels),
    Label: (name: string) => container.Labels?.[name] ?? '',
    Mounts: () =>
      container.Mounts.map(mount =>
        truncate ? ellipsis(mount.Name || mount.Source, 15) : mount.Name || mount.Source,
      ).join(','),
    LocalVolumes: () => String(container.Mounts.filter(mount => mount.Driver === 'local').length),
    Networks: () => Object.keys(container.NetworkSettings?.Networks ?? {}).join(','),
    Platform: noPlatform,
  };
}

/** Docker's list has no platforms: a nil pointer, which JSON shows as null. */
const noPlatform = new Typed({ name: '*v1.Platform', kind: 'pointer' }, null);

/** Links add names such as `/other/alias`: with truncation only the container's own are shown. */
function names(container: ContainerSummary, truncate: boolean): string {
  const all = container.Names.map(name => name.replace(/^\//, ''));
  return (truncate ? all.filter(name => !name.includes('/')) : all).join(',');
}

function image(container: ContainerSummary, truncate: boolean): string {
  if (container.Image === '') return '<no image>';
  if (!truncate) return container.Image;
  // An image known by its id alone is shown as the short id.
  const id = container.ImageID.replace(/^sha256:/, '');
  const name = container.Image.replace(/^sha256:/, '');
  if (id.startsWith(name) && name.length >= 12) return name.slice(0, 12);
  return container.Image.replace(/@sha256:.*$/, '');
}

function sizeOf({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  const own = humanSize(SizeRw, 3);
  return SizeRootFs > 0 ? `${own} (virtual ${humanSize(SizeRootFs, 3)})` : own;
}
