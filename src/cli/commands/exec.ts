import type { ExecCreateRequest } from '../../api/exec.ts';
import { act, hijack, perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { atLeast, type Command } from '../command.ts';
import { planEnvironment } from '../container-options/environment.ts';
import { DetachedError, tieStreams } from '../terminal/attached-streams.ts';
import { followTerminalSize } from '../terminal/signals.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  short: 'Execute a command in a running container',
  aliases: 'container exec, exec',
  flags: `
  -d, --detach  Detached mode: run command in the background
      --detach-keys string  Override the key sequence for detaching a container
  -e, --env list  Set environment variables
      --env-file list  Read in a file of environment variables
  -i, --interactive  Keep STDIN open even if not attached
      --privileged  Give extended privileges to the command
  -t, --tty  Allocate a pseudo-TTY
  -u, --user string  Username or UID (format: "<name|uid>[:<group|gid>]")
  -w, --workdir string  Working directory inside the container
`,
  takes: atLeast(2),
  interspersed: false,
  async run({ session, flags, args: [id = '', ...Cmd] }) {
    const client = await session.client();
    const detached = flags.on('detach');
    const tty = flags.on('tty');
    const stdin = flags.on('interactive') && !detached;
    if (stdin && tty && !session.input.isTerminal) {
      // That there is no such container is the better news, where both are true.
      await perform(client, containerOperations.inspect, { path: { id } });
      throw new EngineError('invalid', 'the input device is not a TTY');
    }
    const { rows, columns } = session.out.size();
    const ConsoleSize = tty && session.out.isTerminal ? ([rows, columns] as [number, number]) : undefined;
    const json: ExecCreateRequest = {
      User: flags.string('user'),
      Privileged: flags.on('privileged'),
      Tty: tty,
      ConsoleSize,
      AttachStdin: stdin,
      AttachStdout: !detached,
      AttachStderr: !detached,
      DetachKeys: flags.string('detach-keys') || session.config().detachKeys,
      Env: planEnvironment(flags.list('env-file'), flags.list('env'), session.env),
      WorkingDir: flags.string('workdir'),
      Cmd,
    };
    const { Id } = await perform(client, containerOperations.execCreate, { path: { id }, json });
    const path = { id: Id };
    if (detached) {
      await act(client, containerOperations.execStart, { path, json: { Detach: true, Tty: tty } });
      return 0;
    }
    const connection = await hijack(client, containerOperations.execStart, {
      path,
      json: { Detach: false, Tty: tty, ConsoleSize },
    });
    const stopResizing =
      tty && session.out.isTerminal
        ? followTerminalSize(() => {
            const size = session.out.size();
            return act(client, containerOperations.execResize, {
              path,
              query: { h: size.rows, w: size.columns },
            });
          })
        : () => {};
    try {
      const outcome = await tieStreams(session, connection, {
        tty,
        stdin,
        detachKeys: flags.string('detach-keys'),
      });
      if (outcome === 'detached') throw new DetachedError();
      return (await perform(client, containerOperations.execInspect, { path })).ExitCode ?? 0;
    } finally {
      stopResizing();
    }
  },
};
