import type { ScheduleRun } from '../../../api/schedules.ts';
import { perform } from '../../../client/operation.ts';
import { scheduleOperations } from '../../../client/operations.ts';
import { humanDuration } from '../../../stdx/human-duration.ts';
import { type Command, exactly } from '../../command.ts';
import { ofGantryd } from '../../of-gantryd.ts';
import { type ListLayout, listFormatFlag, printList } from '../../output/list.ts';
import { ellipsis } from '../../output/table.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  short: 'Show the runs of a schedule',
  flags: `
${listFormatFlag}
  -n, --limit int  Show the newest n only (0: all that are kept)
      --no-trunc  Don't truncate output
`,
  takes: exactly(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    const runs = await ofGantryd('the history of a schedule', () =>
      perform(client, scheduleOperations.runs, {
        path: { id: args[0]! },
        query: { limit: flags.integer('limit') },
      }),
    );
    printList(session.out, runLayout({ truncate: !flags.on('no-trunc') }), runs, {
      format: flags.string('format'),
    });
  },
};

/** `success`, `failed (3)`, `missed (12 times)` */
export function outcomeText({ Outcome, ExitCode, Times }: ScheduleRun): string {
  if (Times > 1) return `${Outcome} (${Times} times)`;
  return ExitCode === null || ExitCode === 0 ? Outcome : `${Outcome} (${ExitCode})`;
}

function runLayout({ truncate }: { truncate: boolean }): ListLayout<ScheduleRun> {
  return {
    typeName: '*formatter.scheduleRunContext',
    headers: {
      ID: 'ID',
      Due: 'DUE',
      LastDue: 'LAST DUE',
      Times: 'TIMES',
      Trigger: 'TRIGGER',
      Started: 'STARTED AT',
      Finished: 'FINISHED AT',
      Duration: 'DURATION',
      ExitCode: 'EXIT CODE',
      Outcome: 'OUTCOME',
      Result: 'OUTCOME',
      Note: 'NOTE',
    },
    columns: ['Due', 'Trigger', 'Duration', 'Result', 'Note'],
    row: run => ({
      ID: String(run.Id),
      Due: run.Due,
      LastDue: run.LastDue,
      Times: String(run.Times),
      Trigger: run.Trigger,
      Started: run.StartedAt ?? '',
      Finished: run.FinishedAt ?? '',
      Duration: () => durationText(run),
      ExitCode: run.ExitCode === null ? '' : String(run.ExitCode),
      Outcome: run.Outcome,
      // A method with a parameter stays out of JSON; the table calls it all the same.
      Result: (_unused?: unknown) => outcomeText(run),
      Note: () => (truncate ? ellipsis(run.Note, 50) : run.Note),
    }),
  };
}

function durationText({ StartedAt, FinishedAt }: ScheduleRun): string {
  if (StartedAt === null) return '';
  const endMs = FinishedAt === null ? Date.now() : Date.parse(FinishedAt);
  return humanDuration(Math.max(0, endMs - Date.parse(StartedAt)));
}
