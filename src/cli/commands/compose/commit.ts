import { between, type Command } from '../../command.ts';
import { tellInstead } from '../../compose/dry-run.ts';
import { runOther } from '../../compose/run-other.ts';
import { containerOf } from '../../compose/service-containers.ts';
import { command as commitCommand } from '../commit.ts';

export const command: Command = {
  usage: '[OPTIONS] SERVICE [REPOSITORY[:TAG]]',
  short: "Create a new image from a service container's changes",
  aliases: 'compose commit',
  flags: `
  -a, --author string  Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")
  -c, --change list  Apply Dockerfile instruction to the created image
      --index int  index of the container if service has multiple replicas.
  -m, --message string  Commit message
  -p, --pause  Pause container during commit (default true)
`,
  takes: between(1, 2),
  async run({ session, flags, groupFlags, args: [service = '', ...reference] }) {
    const { id, name } = await containerOf(session, groupFlags, service, flags.integer('index'));
    if (session.dryRun) {
      tellInstead({ session, groupFlags }, `${name} Commit ${name}`, ['Committing', 'Committed']);
      return 0;
    }
    const given = [
      ...(flags.changed('author') ? ['--author', flags.string('author')] : []),
      ...flags.list('change').flatMap(change => ['--change', change]),
      ...(flags.changed('message') ? ['--message', flags.string('message')] : []),
      `--pause=${flags.on('pause')}`,
    ];
    return runOther(session, 'commit', commitCommand, [...given, id, ...reference]);
  },
};
