import type { Client } from '../client/client.ts';
import { act, hijack, perform } from '../client/operation.ts';
import { failedStepOperations } from '../client/operations.ts';
import { EngineError, kindOf, messageOf } from '../stdx/errors.ts';
import { randomHex } from '../stdx/random-hex.ts';
import type { Call } from './command.ts';
import type { Session } from './session.ts';
import { tieStreams } from './terminal/attached-streams.ts';
import { followTerminalSize } from './terminal/signals.ts';

/** `build --on-error=shell`: the daemon keeps the step that fails, and whoever builds gets a shell in it. */
export interface FailedStepWatch {
  /** What the build is asked with. */
  readonly token: string;
  /** The build is over. */
  end(): Promise<void>;
}

/** @returns undefined when nobody asked for it @throws EngineError `invalid` without a terminal */
export async function watchFailedStep({ session, flags, args }: Call): Promise<FailedStepWatch | undefined> {
  const wanted = flags.string('on-error');
  if (wanted === '') return undefined;
  if (wanted !== 'shell') throw new EngineError('invalid', `invalid value for --on-error: ${wanted}`);
  if (!session.input.isTerminal || args[0] === '-' || flags.string('file') === '-')
    throw new EngineError('invalid', '--on-error=shell needs a terminal: the input device is not a TTY');
  const token = randomHex(32);
  const over = new AbortController();
  const visited = visit(session, await session.client(), token, over.signal);
  return {
    token,
    async end() {
      over.abort();
      await visited;
    },
  };
}

/** What goes wrong here is told and does no harm: the build has failed anyway. */
async function visit(session: Session, client: Client, token: string, over: AbortSignal): Promise<void> {
  try {
    const path = { token };
    const step = await perform(client, failedStepOperations.wait, { path, signal: over });
    session.err.line(
      `\nThe command ended with ${step.ExitCode}. This is a shell where it ran; the build goes on to fail when you leave it.`,
    );
    const size = () => {
      const { rows, columns } = session.out.size();
      return { h: rows, w: columns };
    };
    const connection = await hijack(client, failedStepOperations.enter, { path, query: size() });
    const stopResizing = followTerminalSize(() =>
      act(client, failedStepOperations.resize, { path, query: size() }),
    );
    try {
      await tieStreams(session, connection, { tty: true, stdin: true });
    } finally {
      stopResizing();
    }
  } catch (error) {
    if (over.aborted || kindOf(error) === 'notFound') return;
    session.err.line(`There is no shell in the failed step: ${messageOf(error)}`);
  }
}
