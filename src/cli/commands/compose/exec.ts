import { atLeast, type Command } from '../../command.ts';
import { refuseInteraction } from '../../compose/dry-run.ts';
import { runOther } from '../../compose/run-other.ts';
import { containerOf } from '../../compose/service-containers.ts';
import { command as execCommand } from '../exec.ts';

export const command: Command = {
  usage: '[OPTIONS] SERVICE COMMAND [ARGS...]',
  short: 'Execute a command in a running container',
  flags: `
  -d, --detach  Detached mode: Run command in the background
  -e, --env stringArray  Set environment variables
      --index int  Index of the container if service has multiple replicas
  -T, --no-tty  Disable pseudo-TTY allocation. By default 'docker compose exec' allocates a TTY.
      --privileged  Give extended privileges to the process
  -u, --user string  Run the command as this user
  -w, --workdir string  Path to workdir directory for this command
`,
  takes: atLeast(2),
  interspersed: false,
  async run(call) {
    const { session, flags, groupFlags, args } = call;
    const [service = '', ...words] = args;
    if (!flags.on('detach')) refuseInteraction(call, 'exec');
    const { id } = await containerOf(session, groupFlags, service, flags.integer('index'));
    if (session.dryRun) {
      session.err.line(` DRY-RUN MODE - Executing command ${JSON.stringify(words)} in ${id} (detached mode)`);
      return 0;
    }
    const tty = !flags.on('no-tty') && session.input.isTerminal && session.out.isTerminal;
    const given = [
      ...(flags.on('detach') ? ['--detach'] : ['--interactive']),
      ...(tty && !flags.on('detach') ? ['--tty'] : []),
      ...flags.list('env').flatMap(variable => ['--env', variable]),
      ...(flags.on('privileged') ? ['--privileged'] : []),
      ...(flags.changed('user') ? ['--user', flags.string('user')] : []),
      ...(flags.changed('workdir') ? ['--workdir', flags.string('workdir')] : []),
    ];
    return runOther(session, 'exec', execCommand, [...given, id, ...words]);
  },
};
