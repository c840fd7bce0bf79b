import type { ContainerInspect } from '../../api/containers.ts';
import { FrameDecoder } from '../../api/frames.ts';
import { rawStreamType } from '../../api/paths.ts';
import type { Client } from '../../client/client.ts';
import { download, encodeFilters, follow, perform } from '../../client/operation.ts';
import { containerOperations, systemOperations } from '../../client/operations.ts';
import { kindOf } from '../../stdx/errors.ts';
import type { Session } from '../session.ts';
import type { LogLines } from './log-lines.ts';

export interface LogQuery {
  follow: boolean;
  tail: string;
  timestamps: boolean;
  since?: string | undefined;
  until?: string | undefined;
}

/**
 * Writes a container's log to its place among the lines of others. Following, it goes on when the container is started
 * again, and ends when the container is gone or stays down.
 * @param onRestart told of an end that is none, with its exit code
 * @returns the exit code it ended with; undefined when it was not followed, or is gone
 */
export async function printLog(
  session: Session,
  container: { id: string; shown: string },
  lines: Pick<LogLines, 'writer'>,
  query: LogQuery,
  onRestart: (exitCode: number) => void = () => {},
): Promise<number | undefined> {
  const client = await session.client();
  const path = { id: container.id };
  const { Config } = await perform(client, containerOperations.inspect, { path });
  let asked = query;
  for (;;) {
    const out = lines.writer(container.shown);
    const err = lines.writer(container.shown);
    const decoder = new FrameDecoder((stream, payload) => (stream === 'stderr' ? err : out).push(payload));
    const sink = Config.Tty ? (chunk: Buffer) => out.push(chunk) : (chunk: Buffer) => decoder.push(chunk);
    await download(
      client,
      containerOperations.logs,
      {
        path,
        query: { ...asked, stdout: true, stderr: true },
        headers: { Accept: rawStreamType },
      },
      sink,
    );
    out.end();
    err.end();
    if (!query.follow) return undefined;
    const State = await stateOf(client, container.id);
    if (State === undefined) return undefined;
    if (!State.Running && !State.Restarting) return State.ExitCode;
    onRestart(State.Restarting ? State.ExitCode : await lastExitCode(client, container.id));
    // While it waits to be started again, its start is still that of the last time.
    const since = unixTime(State.Restarting ? State.FinishedAt : State.StartedAt);
    asked = { ...query, tail: 'all', since };
  }
}

/** `2026-01-02T03:04:05.678901234Z` in seconds, with every digit: a line of the millisecond before is not shown again. */
export function unixTime(timestamp: string): string {
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '0';
  return `${Math.floor(Date.parse(timestamp) / 1000)}.${fraction.padEnd(9, '0')}`;
}

async function stateOf(client: Client, id: string): Promise<ContainerInspect['State'] | undefined> {
  try {
    return (await perform(client, containerOperations.inspect, { path: { id } })).State;
  } catch (error) {
    if (kindOf(error) === 'notFound') return undefined;
    throw error;
  }
}

/** Of a container that runs again: its state has forgotten it, the daemon's events have not. */
async function lastExitCode(client: Client, id: string): Promise<number> {
  let code = 0;
  const nowSeconds = Date.now() / 1000;
  const filters = encodeFilters(
    new Map([
      ['container', [id]],
      ['event', ['die']],
    ]),
  );
  const query = { since: String(nowSeconds - 3600), until: String(nowSeconds), filters };
  await follow(client, systemOperations.events, { query }, ({ Actor }) => {
    code = Number(Actor.Attributes['exitCode'] ?? code);
  });
  return code;
}
