import { FrameDecoder } from '../../api/frames.ts';
import { rawStreamType } from '../../api/paths.ts';
import { download, perform } from '../../client/operation.ts';
import { containerOperations } from '../../client/operations.ts';
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
 * @returns the exit code it ended with; undefined when it was not followed
 */
export async function printLog(
  session: Session,
  container: { id: string; shown: string },
  lines: Pick<LogLines, 'writer'>,
  query: LogQuery,
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
    const { State } = await perform(client, containerOperations.inspect, { path });
    if (!State.Running && !State.Restarting) return State.ExitCode;
    asked = { ...query, tail: 'all', since: String(Date.parse(State.StartedAt) / 1000) };
  }
}
