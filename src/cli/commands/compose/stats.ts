import { anyArguments, type Command } from '../../command.ts';
import { isRunning } from '../../compose/life-cycle.ts';
import { runOther } from '../../compose/run-other.ts';
import { projectContainers } from '../../compose/service-containers.ts';
import { command as statsCommand } from '../stats.ts';

export const command: Command = {
  usage: '[OPTIONS] [SERVICE]',
  short: 'Display a live stream of container(s) resource usage statistics',
  flags: `
  -a, --all  Show all containers (default shows just running)
      --format string  Format output using a custom template: table, table TEMPLATE, json or TEMPLATE
      --no-stream  Disable streaming stats and only pull the first result
      --no-trunc  Do not truncate output
`,
  takes: anyArguments,
  async run({ session, flags, groupFlags, args }) {
    const { containers } = await projectContainers(session, groupFlags, args);
    const shown = flags.on('all') ? containers : containers.filter(isRunning);
    if (shown.length === 0) return 0;
    const given = [
      ...(flags.changed('format') ? ['--format', flags.string('format')] : []),
      ...(flags.on('no-stream') ? ['--no-stream'] : []),
      ...(flags.on('no-trunc') ? ['--no-trunc'] : []),
    ];
    return runOther(session, 'stats', statsCommand, [...given, ...shown.map(({ name }) => name)]);
  },
};
