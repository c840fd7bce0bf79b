import type { ContainerInspect } from '../../api/containers.ts';
import { FrameDecoder } from '../../api/frames.ts';
import { rawStreamType } from '../../api/paths.ts';
import type { Client } from '../../client/client.ts';
import { download, encodeFilters, follow, perform } from '../../client/operation.ts';
import { containerOperations, systemOperations } from '../../client/operations.ts';
import { kindOf } from '../../stdx/errors.ts';
import type { Session } from '../session.ts';
import type { LogLines } from './log-lines.ts';

type State = ContainerInspect['State'];

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
    const state = await stateOf(client, container.id);
    if (state === undefined) return undefined;
    if (isDown(state)) return state.ExitCode;
    onRestart(state.Restarting ? state.ExitCode : await lastExitCode(client, container.id));
    const next = state.Restarting ? await nextState(client, container.id, state) : state;
    if (next === undefined) return undefined;
    if (isDown(next)) return next.ExitCode;
    asked = { ...query, tail: 'all', since: outputSince(state.FinishedAt, next.StartedAt) };
  }
}

/**
 * From when on a container's output is that of its next life, in seconds. A dockerd before 25 writes the start down after
 * the first line has come, and the last line of the life before may come a little after its end: hence a moment between.
 */
export function outputSince(finishedAt: string, startedAt: string): string {
  const end = nanoseconds(finishedAt);
  const gap = nanoseconds(startedAt) - end;
  const neverEnded = end < 0n;
  if (gap <= 0n || neverEnded) return inSeconds(nanoseconds(startedAt));
  return inSeconds(end + (gap > 2n * longestDelay ? longestDelay : gap / 2n));
}

const second = 1_000_000_000n;
const longestDelay = second;

function nanoseconds(timestamp: string): bigint {
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  return BigInt(Math.floor(Date.parse(timestamp) / 1000)) * second + BigInt(fraction.padEnd(9, '0'));
}

function inSeconds(nanoseconds: bigint): string {
  return `${nanoseconds / second}.${String(nanoseconds % second).padStart(9, '0')}`;
}

function isDown(state: State): boolean {
  return !state.Running && !state.Restarting;
}

/**
 * Waits while a container waits to be started again. Its log cannot be followed then: dockerd ends such a stream at once.
 * @returns undefined when it is gone
 */
async function nextState(client: Client, id: string, { FinishedAt }: State): Promise<State | undefined> {
  let state: State | undefined;
  const settled = new AbortController();
  let looking = Promise.resolve();
  const look = async () => {
    if (settled.signal.aborted) return;
    state = await stateOf(client, id);
    if (!state?.Restarting) settled.abort();
  };
  const filters = encodeFilters(
    new Map([
      ['type', ['container']],
      ['container', [id]],
      ['event', ['start', 'stop', 'die', 'destroy']],
    ]),
  );
  // Since its end: it may have been started meanwhile.
  const query = { since: inSeconds(nanoseconds(FinishedAt)), filters };
  try {
    await follow(client, systemOperations.events, { query, signal: settled.signal }, () => {
      looking = looking.then(look);
    });
  } catch (error) {
    if (!settled.signal.aborted) throw error;
  }
  await looking;
  return state;
}

async function stateOf(client: Client, id: string): Promise<State | undefined> {
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
