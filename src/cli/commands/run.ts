import type { ContainerWaitResponse } from '../../api/containers.ts';
import type { Client } from '../../client/client.ts';
import { readText } from '../../client/client.ts';
import { parseJson } from '../../client/json.ts';
import { act, hijack, open } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
import { EngineError } from '../../stdx/errors.ts';
import { atLeast, type Command } from '../command.ts';
import { type CreatePlan, planOrRefuse } from '../container-options/create-request.ts';
import { containerFlags } from '../container-options/flags.ts';
import { createContainer } from '../create-container.ts';
import { ExitError } from '../errors.ts';
import type { FlagValues } from '../flags.ts';
import type { Session } from '../session.ts';
import { tieStreams } from '../terminal/attached-streams.ts';
import { followTerminalSize, forwardSignals } from '../terminal/signals.ts';

export const command: Command = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  short: 'Create and run a new container from an image',
  aliases: 'container run, run',
  flags: `${containerFlags}
  -d, --detach  Run container in background and print container ID
      --detach-keys string  Override the key sequence for detaching a container
      --pull string  Pull image before running ("always", "missing", "never") (default "missing")
      --sig-proxy  Proxy received signals to the process (default true)
`,
  takes: atLeast(1),
  interspersed: false,
  runsContainers: true,
  async run({ session, flags, args }) {
    const detached = flags.on('detach');
    if (detached && flags.changed('attach'))
      throw new EngineError('invalid', 'conflicting options: cannot specify both --attach and --detach');
    if (detached && flags.changed('sig-proxy') && flags.on('sig-proxy') && flags.on('tty')) {
      throw new EngineError('invalid', 'conflicting options: cannot specify both --sig-proxy and --detach');
    }
    const { rows, columns } = session.out.isTerminal ? session.out.size() : { rows: 0, columns: 0 };
    const place = {
      env: session.env,
      workingDirectory: session.surroundings.workingDirectory,
      proxies: await session.proxyVariables(),
      consoleSize: [rows, columns] as [number, number],
    };
    const scheduled = flags.changed('schedule');
    // What is started later has nobody to talk to.
    const plan = planOrRefuse('run', flags, args, place, detached || scheduled);
    requireTerminal(session, plan);
    const id = await createContainer(session, plan, { pull: flags.string('pull'), quiet: flags.on('quiet') });
    if (scheduled) {
      session.out.line(id);
      return 0;
    }
    const client = await session.client();
    if (!detached) return runAttached(session, client, id, plan, flags);
    // The id is told even when the start fails: the container is there.
    session.out.line(id);
    await act(client, containerOperations.start, { path: { id } });
    return 0;
  },
};

function requireTerminal(session: Session, { request }: CreatePlan): void {
  if (request.AttachStdin && request.Tty && !session.input.isTerminal) {
    throw new ExitError(1, 'the input device is not a TTY');
  }
}

/**
 * Attached first and waited for before it is started, so that neither output nor the exit of a short run is missed.
 */
async function runAttached(
  session: Session,
  client: Client,
  id: string,
  plan: CreatePlan,
  flags: FlagValues,
): Promise<number> {
  const { AttachStdin: stdin, AttachStdout: stdout, AttachStderr: stderr, Tty: tty = false } = plan.request;
  const detachKeys = flags.string('detach-keys') || session.config().detachKeys;
  const path = { id };
  const condition = flags.on('rm') ? 'removed' : 'next-exit';
  const [connection, waiting] = await Promise.all([
    hijack(client, containerOperations.attach, {
      path,
      query: { stream: true, stdin, stdout, stderr, detachKeys },
    }),
    open(client, containerOperations.wait, { path, query: { condition } }),
  ]);
  const stopForwarding = flags.on('sig-proxy')
    ? forwardSignals(signal => act(client, containerOperations.kill, { path, query: { signal } }))
    : () => {};
  let stopResizing = () => {};
  try {
    const streams = tieStreams(session, connection, { tty, stdin: stdin ?? false, detachKeys });
    // A failed start is reported as such; that its streams end then is no news.
    streams.catch(() => {});
    await startOrRemove(client, id, flags);
    if (tty && session.out.isTerminal) {
      stopResizing = followTerminalSize(() => {
        const { rows, columns } = session.out.size();
        return act(client, containerOperations.resize, { path, query: { h: rows, w: columns } });
      });
    }
    if ((await streams) === 'detached') return 0;
    return await exitStatus(waiting);
  } finally {
    stopForwarding();
    stopResizing();
  }
}

/** A container that could not be started is removed by the daemon only when it ran: with --rm it is ours to do. */
async function startOrRemove(client: Client, id: string, flags: FlagValues): Promise<void> {
  try {
    await act(client, containerOperations.start, { path: { id } });
  } catch (error) {
    if (flags.on('rm')) {
      // The daemon may have removed it itself already.
      await act(client, containerOperations.remove, { path: { id }, query: { force: true, v: true } }).catch(
        () => {},
      );
    }
    throw error;
  }
}

async function exitStatus(waiting: Awaited<ReturnType<typeof open>>): Promise<number> {
  const result = parseJson(await readText(waiting)) as ContainerWaitResponse;
  if (result.Error) throw new ExitError(125, `error waiting for container: ${result.Error.Message}`);
  return result.StatusCode;
}
