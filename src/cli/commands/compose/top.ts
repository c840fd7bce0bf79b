import { perform } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';
import { anyArguments, type Command } from '../../command.ts';
import { isRunning } from '../../compose/life-cycle.ts';
import { projectContainers } from '../../compose/service-containers.ts';
import { alignColumns } from '../../output/table.ts';

export const command: Command = {
  usage: '[SERVICES...]',
  short: 'Display the running processes',
  flags: '',
  takes: anyArguments,
  async run({ session, groupFlags, args }) {
    const { containers } = await projectContainers(session, groupFlags, args);
    const client = await session.client();
    const found = await Promise.all(
      containers.filter(isRunning).map(async ({ id, service, number }) => {
        const { Titles, Processes } = await perform(client, containerOperations.top, { path: { id } });
        return Processes.map(cells => ({
          service,
          number: String(number),
          cells: new Map(Titles.map((title, at) => [title, cells[at] ?? ''])),
        }));
      }),
    );
    const processes = found.flat();
    // What the programs of different systems tell may differ.
    const titles = [...new Set(processes.flatMap(({ cells }) => [...cells.keys()]))];
    const rows = processes.map(({ service, number, cells }) => [
      service,
      number,
      ...titles.map(title => cells.get(title) ?? '-'),
    ]);
    if (rows.length === 0) return;
    session.out.write(alignColumns([['SERVICE', '#', ...titles], ...rows], { minWidth: 4, padding: 2 }));
  },
};
