import { executePlan } from '../../compose/execute.ts';
import type { Loaded } from '../../compose/load/load.ts';
import type { Observed } from '../../compose/observed.ts';
import type { Action, Plan } from '../../compose/plan/plan.ts';
import type { Session } from '../session.ts';
import type { ServiceImage } from './images.ts';

export interface CarryOutOptions {
  observed: Observed;
  images?: Record<string, ServiceImage>;
  stopTimeout?: number | undefined;
  /** Told when a container runs. */
  onStarted?(name: string): void;
  /** Ends it; without one, the signals of the terminal do. */
  signal?: AbortSignal;
}

/** Carries a plan out and says what becomes of each thing, a line each. */
export async function carryOut(
  session: Session,
  { project, sources }: Pick<Loaded, 'project' | 'sources'>,
  plan: Plan,
  { observed, images = {}, stopTimeout, onStarted, signal }: CarryOutOptions,
): Promise<void> {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  if (signal === undefined) {
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
  }
  try {
    await executePlan(plan, {
      client: await session.client(),
      project,
      observed,
      images,
      environment: sources.environment,
      configFiles: sources.files,
      environmentFiles: sources.envFiles,
      workingDirectory: sources.directory,
      stopTimeout,
      signal: signal ?? interruption.signal,
      onStep: ({ action }, phase) => {
        session.err.line(
          ` ${subject(action)}  ${phase === 'failed' ? 'Error' : words(action)[phase === 'begun' ? 0 : 1]}`,
        );
        if (phase === 'done' && action.do === 'start container') onStarted?.(action.name);
      },
    });
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

function subject(action: Action): string {
  if (action.do === 'wait for service') return `Service ${action.service}`;
  const [, kind = ''] = action.do.split(' ');
  return `${kind[0]!.toUpperCase()}${kind.slice(1)} ${action.name}`;
}

/** While it is done, and when it is done; docker compose's words. */
function words(action: Action): readonly [string, string] {
  switch (action.do) {
    case 'start container':
      return ['Starting', 'Started'];
    case 'stop container':
      return ['Stopping', 'Stopped'];
    case 'rename container':
      return ['Renaming', 'Recreated'];
    case 'wait for service':
      return ['Waiting', action.condition === 'service_healthy' ? 'Healthy' : 'Exited'];
    default:
      return action.do.startsWith('create') ? ['Creating', 'Created'] : ['Removing', 'Removed'];
  }
}
