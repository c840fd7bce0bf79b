import type { ScheduleSummary } from '../../../api/schedules.ts';
import { perform } from '../../../client/operation.ts';
import { scheduleOperations } from '../../../client/operations.ts';
import { humanDuration } from '../../../stdx/human-duration.ts';
import { type Command, noArguments } from '../../command.ts';
import { ofGantryd } from '../../of-gantryd.ts';
import { type ListLayout, listFormatFlag, printList } from '../../output/list.ts';
import { outcomeText } from './history.ts';

export const command: Command = {
  usage: '[OPTIONS]',
  short: 'List schedules',
  aliases: 'schedule ls, schedule list',
  flags: `
${listFormatFlag}
  -q, --quiet  Only display container IDs
`,
  takes: noArguments,
  async run({ session, flags }) {
    const client = await session.client();
    const schedules = await ofGantryd('listing schedules', () =>
      perform(client, scheduleOperations.list, {}),
    );
    const format = flags.string('format');
    printList(session.out, layout, schedules, { format, quiet: flags.on('quiet') });
  },
};

const layout: ListLayout<ScheduleSummary> = {
  typeName: '*formatter.scheduleContext',
  headers: {
    ID: 'CONTAINER ID',
    Name: 'NAME',
    Image: 'IMAGE',
    Schedule: 'SCHEDULE',
    TimeZone: 'TIME ZONE',
    CatchUp: 'CATCH UP',
    Paused: 'PAUSED',
    Next: 'NEXT RUN',
    NextAt: 'NEXT RUN AT',
    Last: 'LAST RUN',
    LastAt: 'LAST RUN AT',
    Outcome: 'OUTCOME',
  },
  columns: ['Name', 'Schedule', 'TimeZone', 'Next', 'Last', 'Outcome'],
  quietField: 'ID',
  row: ({ Id, Name, Image, Cron, TimeZone, CatchUp, Paused, Next, Latest }) => ({
    ID: Id.slice(0, 12),
    Name,
    Image,
    Schedule: Cron,
    TimeZone,
    CatchUp: String(CatchUp),
    Paused: String(Paused),
    Next: () =>
      Next === null ? 'paused' : `in ${humanDuration(Math.max(0, Date.parse(Next) - Date.now()))}`,
    NextAt: Next ?? '',
    Last: () =>
      Latest === null
        ? 'never'
        : `${humanDuration(Math.max(0, Date.now() - Date.parse(Latest.LastDue)))} ago`,
    LastAt: Latest?.LastDue ?? '',
    Outcome: Latest === null ? '' : outcomeText(Latest),
  }),
};
