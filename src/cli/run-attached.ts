import type { ContainerWaitResponse } from '../api/containers.ts';
import { type Client, readText } from '../client/client.ts';
import { parseJson } from '../client/json.ts';
import { act, hijack, open } from '../client/operation.ts';
import { containerOperations } from '../client/operations.ts';
import { ExitError } from './errors.ts';
import type { Session } from './session.ts';
import { tieStreams } from './terminal/attached-streams.ts';
import { followTerminalSize, forwardSignals } from './terminal/signals.ts';

export interface RunOptions {
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  detachKeys: string | undefined;
  /** Our signals become the container's. */
  forwardsSignals: boolean;
  /** It is gone when it has ended. */
  autoRemove: boolean;
}

/**
 * Starts a container and stays with it. Attached first and waited for before it is started, so that neither output nor
 * the exit of a short run is missed.
 * @returns its exit status; 0 when the user detached
 */
export async function runAttached(session: Session, id: string, options: RunOptions): Promise<number> {
  const client = await session.client();
  const { tty, stdin, stdout, stderr, detachKeys, autoRemove } = options;
  const path = { id };
  const condition = autoRemove ? 'removed' : 'next-exit';
  const [connection, waiting] = await Promise.all([
    hijack(client, containerOperations.attach, {
      path,
      query: { stream: true, stdin, stdout, stderr, detachKeys },
    }),
    open(client, containerOperations.wait, { path, query: { condition } }),
  ]);
  const stopForwarding = options.forwardsSignals
    ? forwardSignals(signal => act(client, containerOperations.kill, { path, query: { signal } }))
    : () => {};
  let stopResizing = () => {};
  try {
    const streams = tieStreams(session, connection, { tty, stdin, detachKeys });
    // A failed start is reported as such; that its streams end then is no news.
    streams.catch(() => {});
    await startOrRemove(client, id, autoRemove);
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
async function startOrRemove(client: Client, id: string, autoRemove: boolean): Promise<void> {
  try {
    await act(client, containerOperations.start, { path: { id } });
  } catch (error) {
    if (autoRemove) {
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
