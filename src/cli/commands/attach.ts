import type { ContainerInspect, ContainerWaitResponse } from '../../api/containers.ts';
import { readText } from '../../client/client.ts';
import { parseJson } from '../../client/json.ts';
import { act, hijack, open, perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { type Command, exactly } from '../command.ts';
import { DetachedError, tieStreams } from '../terminal/attached-streams.ts';
import { followTerminalSize, forwardSignals } from '../terminal/signals.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER',
  short: 'Attach local standard input, output, and error streams to a running container',
  aliases: 'container attach, attach',
  flags: `
      --detach-keys string  Override the key sequence for detaching a container
      --no-stdin  Do not attach STDIN
      --sig-proxy  Proxy all received signals to the process (default true)
`,
  takes: exactly(1),
  async run({ session, flags, args: [id = ''] }) {
    const client = await session.client();
    const path = { id };
    const container = await perform(client, containerOperations.inspect, { path });
    requireAttachable(container);
    const tty = container.Config.Tty;
    const stdin = !flags.on('no-stdin') && container.Config.OpenStdin;
    if (tty && stdin && !session.input.isTerminal)
      throw new EngineError('invalid', 'the input device is not a TTY');
    const detachKeys = flags.string('detach-keys') || session.config().detachKeys;
    const [connection, waiting] = await Promise.all([
      hijack(client, containerOperations.attach, {
        path,
        query: { stream: true, stdin, stdout: true, stderr: true, detachKeys },
      }),
      open(client, containerOperations.wait, { path, query: { condition: 'not-running' } }),
    ]);
    const stopForwarding =
      flags.on('sig-proxy') && !tty
        ? forwardSignals(signal => act(client, containerOperations.kill, { path, query: { signal } }))
        : () => {};
    let stopResizing = () => {};
    if (tty && session.out.isTerminal) {
      const resize = (more: number) => {
        const { rows, columns } = session.out.size();
        return act(client, containerOperations.resize, {
          path,
          query: { h: rows + more, w: columns + more },
        });
      };
      // A program draws its screen anew only when the size changes: for a second attach it must.
      // It may have ended already: then there is nothing to draw.
      await resize(1).catch(() => {});
      stopResizing = followTerminalSize(() => resize(0));
    }
    try {
      if ((await tieStreams(session, connection, { tty, stdin, detachKeys })) === 'detached')
        throw new DetachedError();
      return (parseJson(await readText(waiting)) as ContainerWaitResponse).StatusCode;
    } finally {
      stopForwarding();
      stopResizing();
    }
  },
};

function requireAttachable({ State }: ContainerInspect): void {
  if (!State.Running)
    throw new EngineError('conflict', 'You cannot attach to a stopped container, start it first');
  if (State.Paused)
    throw new EngineError('conflict', 'You cannot attach to a paused container, unpause it first');
  if (State.Restarting)
    throw new EngineError(
      'conflict',
      'You cannot attach to a restarting container, wait until it is running',
    );
}
