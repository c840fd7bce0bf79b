import { encodeFilters, perform } from '../../../client/operation.ts';
import { containerOperations } from '../../../client/operations.ts';
import { composeLabels } from '../../../compose/labels.ts';
import { EngineError } from '../../../stdx/errors.ts';
import { type Command, noArguments } from '../../command.ts';
import { UsageError } from '../../errors.ts';
import { parseFilters } from '../../filters.ts';
import { alignColumns } from '../../output/table.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'List running compose projects',
  flags: `
  -a, --all  Show all stopped Compose projects
      --filter filter  Filter output based on conditions provided
      --format string  Format the output. Values: [table | json] (default "table")
  -q, --quiet  Only display project names
`,
  takes: noArguments,
  async run({ session, flags }) {
    const format = flags.string('format');
    if (format !== 'table' && format !== 'json')
      throw new UsageError(`format value ${JSON.stringify(format)} could not be parsed`);
    const { name: names = [], ...others } = Object.fromEntries(parseFilters(flags.list('filter')));
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) throw new EngineError('invalid', `invalid filter '${unknown}'`);
    const containers = await perform(await session.client(), containerOperations.list, {
      query: { all: flags.on('all'), filters: encodeFilters(new Map([['label', [composeLabels.project]]])) },
    });
    const projects = new Map<string, { states: string[]; files: string }>();
    for (const { Labels, State } of containers) {
      if (Labels[composeLabels.oneOff] === 'True') continue;
      const name = Labels[composeLabels.project]!;
      if (names.length > 0 && !names.some(wanted => new RegExp(wanted).test(name))) continue;
      const project = projects.get(name) ?? { states: [], files: Labels[composeLabels.configFiles] ?? 'N/A' };
      projects.set(name, { ...project, states: [...project.states, State] });
    }
    const rows = [...projects]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([Name, { states, files }]) => ({ Name, Status: combined(states), ConfigFiles: files }));
    if (flags.on('quiet')) for (const { Name } of rows) session.out.line(Name);
    else if (format === 'json') session.out.line(JSON.stringify(rows));
    else
      session.out.write(
        alignColumns(
          [
            ['NAME', 'STATUS', 'CONFIG FILES'],
            ...rows.map(({ Name, Status, ConfigFiles }) => [Name, Status, ConfigFiles]),
          ],
          { minWidth: 20 },
        ),
      );
  },
};

/** `exited(1), running(2)` */
function combined(states: readonly string[]): string {
  return [...new Set(states)]
    .sort()
    .map(state => `${state}(${states.filter(other => other === state).length})`)
    .join(', ');
}
