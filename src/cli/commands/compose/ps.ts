import { composeLabels } from '../../../compose/labels.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { GoTypes } from '../../../stdx/template/go-types.ts';
import { anyArguments, type Command } from '../../command.ts';
import { isAlive } from '../../compose/life-cycle.ts';
import { projectContainers, type ServiceContainer } from '../../compose/service-containers.ts';
import { parseFilters } from '../../filters.ts';
import { type ListLayout, listFormatFlag, printList } from '../../output/list.ts';
import { containerLayout } from '../ps.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'List containers',
  flags: `
  -a, --all  Show all stopped containers (including those created by the run command)
      --filter string  Filter services by a property (supported filters: status)
${listFormatFlag}
      --no-trunc  Don't truncate output
      --orphans  Include orphaned services (not declared by project) (default true)
  -q, --quiet  Only display IDs
      --services  Display services
      --status stringArray  Filter services by status. Values: [paused | restarting | removing | running | dead | created | exited]
`,
  takes: anyArguments,
  async run({ session, flags, groupFlags, args }) {
    const all = flags.on('all');
    const found = await projectContainers(session, groupFlags, args, { oneOffs: all });
    const statuses = [...flags.list('status'), ...statusesOf(flags.list('filter'))];
    const containers = found.containers.filter(container => {
      const { service, summary } = container;
      if (
        !flags.on('orphans') &&
        found.project !== undefined &&
        found.project.services[service] === undefined
      )
        return false;
      if (statuses.length > 0) return statuses.includes(summary.State);
      return all || isAlive(container);
    });
    if (flags.on('services')) {
      for (const service of new Set(containers.map(container => container.service)))
        session.out.line(service);
      return;
    }
    if (flags.on('quiet')) {
      for (const { id } of containers) session.out.line(id);
      return;
    }
    printList(session.out, layout(!flags.on('no-trunc')), containers, {
      format: flags.string('format'),
      quiet: false,
    });
  },
};

function statusesOf(filters: readonly string[]): string[] {
  const malformed = filters.some(filter => !filter.includes('='));
  if (malformed) throw new EngineError('invalid', 'arguments to --filter should be in form KEY=VAL');
  const { status = [], ...others } = Object.fromEntries(parseFilters(filters));
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new EngineError('invalid', `unknown filter ${unknown}`);
  return status;
}

/** As templates print them. */
const types = new GoTypes(`
PortPublisher
  URL string
  TargetPort,PublishedPort int
  Protocol string
PortPublishers []PortPublisher
`);

/** Compose's columns; everything else of a container is there for templates as well. */
function layout(truncate: boolean): ListLayout<ServiceContainer> {
  const ofContainers = containerLayout({ truncate, size: false });
  return {
    ...ofContainers,
    headers: {
      ...ofContainers.headers,
      Name: 'NAME',
      Service: 'SERVICE',
      Project: 'PROJECT',
      ExitCode: 'EXIT CODE',
      Health: 'HEALTH',
    },
    columns: ['Name', 'Image', 'Command', 'Service', 'RunningFor', 'Status', 'Ports'],
    row: ({ name, service, summary }) => ({
      ...ofContainers.row(summary),
      Name: name,
      Service: service,
      Project: summary.Labels[composeLabels.project],
      ExitCode: Number(/^Exited \((\d+)\)/.exec(summary.Status)?.[1] ?? 0),
      Health:
        /\((healthy|unhealthy|health: starting)\)/.exec(summary.Status)?.[1]?.replace('health: ', '') ?? '',
      Publishers: () =>
        types.decode(
          'PortPublishers',
          summary.Ports.map(({ IP = '', PrivatePort, PublicPort = 0, Type }) => ({
            URL: IP,
            TargetPort: PrivatePort,
            PublishedPort: PublicPort,
            Protocol: Type,
          })),
        ),
    }),
  };
}
