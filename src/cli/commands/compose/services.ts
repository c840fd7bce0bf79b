import { encodeFilters, perform } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';
import { composeLabels } from '../../../compose/labels.ts';
import { type PublishedPort, serviceRecords } from '../../../compose/service-records.ts';
import { kindOf } from '../../../stdx/errors.ts';
import { anyArguments, type Call, type Command } from '../../command.ts';
import { projectContainers } from '../../compose/service-containers.ts';
import { UsageError } from '../../errors.ts';
import { alignColumns } from '../../output/table.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE...]',
  short: 'List services with what became of them, or export them as JSON',
  flags: `
      --all-projects  Services of every project on the daemon
      --format string  Format the output. Values: [table | json] (default "table")
`,
  takes: anyArguments,
  async run(call) {
    const { session, flags } = call;
    const format = flags.string('format');
    if (format !== 'table' && format !== 'json')
      throw new UsageError(`format value ${JSON.stringify(format)} could not be parsed`);
    const client = await session.client();
    const inspected = await Promise.all(
      (await containerIds(call)).map(async id => {
        try {
          return [await perform(client, containerOperations.inspect, { path: { id } })];
        } catch (error) {
          // Somebody removed it meanwhile.
          if (kindOf(error) === 'notFound') return [];
          throw error;
        }
      }),
    );
    const records = serviceRecords(inspected.flat());
    if (format === 'json') {
      session.out.line(JSON.stringify(records, undefined, 2));
      return;
    }
    session.out.write(
      alignColumns([
        ['SERVICE', 'IMAGE', 'STATUS', 'CONTAINERS', 'PORTS'],
        ...records.map(({ id, name, image, status, containers, ports }) => [
          flags.on('all-projects') ? id : name,
          image,
          status,
          String(containers.length),
          ports.map(shown).join(', '),
        ]),
      ]),
    );
  },
};

async function containerIds({ session, flags, groupFlags, args }: Call): Promise<string[]> {
  if (!flags.on('all-projects')) {
    const { containers } = await projectContainers(session, groupFlags, args);
    return containers.map(({ id }) => id);
  }
  const filters = encodeFilters(new Map([['label', [composeLabels.project]]]));
  const found = await perform(await session.client(), containerOperations.list, {
    query: { all: true, filters },
  });
  return found
    .filter(({ Labels }) => Labels[composeLabels.oneOff] !== 'True')
    .filter(({ Labels }) => args.length === 0 || args.includes(Labels[composeLabels.service] ?? ''))
    .map(({ Id }) => Id);
}

function shown({ address, port, container_port, protocol }: PublishedPort): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}->${container_port}/${protocol}`;
}
