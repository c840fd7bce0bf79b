import { EngineError } from '../../stdx/errors.ts';
import type { Call } from '../command.ts';
import { openProgress } from './progress/open-progress.ts';

/** Says what would be done, and that it would be. */
export function tellInstead(
  call: Pick<Call, 'session' | 'groupFlags'>,
  id: string,
  words: readonly [string, string],
) {
  const progress = openProgress(call);
  progress.tell({ id, status: words[0], state: 'working' });
  progress.tell({ id, status: words[1], state: 'done' });
  progress.end();
}

/** @throws EngineError for what a program in a container would have to say */
export function refuseInteraction({ session }: Pick<Call, 'session'>, what: string): void {
  if (session.dryRun)
    throw new EngineError('notImplemented', `interactive ${what} is not supported in dry-run mode`);
}
