import type { ContainerWaitResponse } from '../../api/containers.ts';
import { type Client, readText } from '../../client/client.ts';
import { parseJson } from '../../client/json.ts';
import { act, hijack, open, perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { told } from '../cli.ts';
import { atLeast, type Command } from '../command.ts';
import { ExitError } from '../errors.ts';
import type { FlagValues } from '../flags.ts';
import type { Session } from '../session.ts';
import { DetachedError, tieStreams } from '../terminal/attached-streams.ts';
import { followTerminalSize, forwardSignals } from '../terminal/signals.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  short: 'Start one or more stopped containers',
  aliases: 'container start, start',
  flags: `
  -a, --attach  Attach STDOUT/STDERR and forward signals
      --detach-keys string  Override the key sequence for detaching a container
  -i, --interactive  Attach container's STDIN
!     --checkpoint string  there are no checkpoints
!     --checkpoint-dir string  there are no checkpoints
`,
  takes: atLeast(1),
  async run({ session, flags, args }) {
    const client = await session.client();
    if (flags.on('attach') || flags.on('interactive')) {
      if (args.length > 1)
        throw new EngineError('invalid', 'you cannot start and attach multiple containers at once');
      return startAttached(session, client, args[0]!, flags);
    }
    const failed: string[] = [];
    for (const id of args) {
      try {
        await act(client, containerOperations.start, { path: { id } });
        session.out.line(id);
      } catch (error) {
        session.err.line(told(error));
        failed.push(id);
      }
    }
    if (failed.length > 0) throw new ExitError(1, `Error: failed to start containers: ${failed.join(', ')}`);
    return 0;
  },
};

async function startAttached(
  session: Session,
  client: Client,
  id: string,
  flags: FlagValues,
): Promise<number> {
  const path = { id };
  const container = await perform(client, containerOperations.inspect, { path });
  const { Tty: tty, OpenStdin: openStdin } = container.Config;
  const stdin = flags.on('interactive') && openStdin;
  const detachKeys = flags.string('detach-keys') || session.config().detachKeys;
  const condition = container.HostConfig.AutoRemove ? 'removed' : 'next-exit';
  const [connection, waiting] = await Promise.all([
    hijack(client, containerOperations.attach, {
      path,
      query: { stream: true, stdin, stdout: true, stderr: true, detachKeys },
    }),
    open(client, containerOperations.wait, { path, query: { condition } }),
  ]);
  const stopForwarding = tty
    ? () => {}
    : forwardSignals(signal => act(client, containerOperations.kill, { path, query: { signal } }));
  let stopResizing = () => {};
  try {
    const streams = tieStreams(session, connection, { tty, stdin, detachKeys });
    streams.catch(() => {});
    await act(client, containerOperations.start, { path });
    if (tty && session.out.isTerminal) {
      stopResizing = followTerminalSize(() => {
        const { rows, columns } = session.out.size();
        return act(client, containerOperations.resize, { path, query: { h: rows, w: columns } });
      });
    }
    if ((await streams) === 'detached') throw new DetachedError();
    return (parseJson(await readText(waiting)) as ContainerWaitResponse).StatusCode;
  } finally {
    stopForwarding();
    stopResizing();
  }
}
