import { type Command, exactly } from '../../command.ts';
import { tellInstead } from '../../compose/dry-run.ts';
import { runOther } from '../../compose/run-other.ts';
import { containerOf } from '../../compose/service-containers.ts';
import { command as exportCommand } from '../export.ts';

export const command: Command = {
  usage: '[OPTIONS] SERVICE',
  short: "Export a service container's filesystem as a tar archive",
  aliases: 'compose export',
  flags: `
      --index int  index of the container if service has multiple replicas.
  -o, --output string  Write to a file, instead of STDOUT
`,
  takes: exactly(1),
  async run({ session, flags, groupFlags, args: [service = ''] }) {
    const { id, name } = await containerOf(session, groupFlags, service, flags.integer('index'));
    if (session.dryRun) {
      const what = `${name} export ${name} to ${flags.given('output') ?? '-'}`;
      tellInstead({ session, groupFlags }, what, ['Exporting', 'Exported']);
      return 0;
    }
    const given = flags.changed('output') ? ['--output', flags.string('output')] : [];
    return runOther(session, 'export', exportCommand, [...given, id]);
  },
};
