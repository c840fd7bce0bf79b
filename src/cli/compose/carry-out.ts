import { type Execution, executePlan } from '../../compose/execute.ts';
import type { Loaded } from '../../compose/load/load.ts';
import type { Observed } from '../../compose/observed.ts';
import type { Plan } from '../../compose/plan/plan.ts';
import { ExitError } from '../errors.ts';
import type { Session } from '../session.ts';
import type { ServiceImage } from './images.ts';
import { PlanWords } from './plan-words.ts';
import type { Progress } from './progress/progress.ts';

/** 128 and SIGINT. */
export const interruptedStatus = 130;

export interface CarryOutOptions {
  observed: Observed;
  /** What becomes of each thing is told here; whoever opened it ends it. */
  progress: Progress;
  images?: Record<string, ServiceImage>;
  stopTimeout?: number | undefined;
  /** Told when a container runs. */
  onStarted?(name: string): void;
  /** What takes the output of a container's `post_start` hooks. */
  hookOutput?: Execution['hookOutput'];
  /** Ends it; without one, the signals of the terminal do. */
  signal?: AbortSignal;
}

/**
 * Carries a plan out and says what becomes of each thing.
 * @throws ExitError 130 when a signal of the terminal ended it
 */
export async function carryOut(
  session: Session,
  { project, sources }: Pick<Loaded, 'project' | 'sources'>,
  plan: Plan,
  { observed, progress, images = {}, stopTimeout, onStarted, hookOutput, signal }: CarryOutOptions,
): Promise<void> {
  if (plan.length === 0) return;
  const words = new PlanWords(plan, observed);
  const interruption = new AbortController();
  const interrupt = () => {
    // The second time nothing is waited for any more.
    if (interruption.signal.aborted) process.exit(interruptedStatus);
    interruption.abort();
  };
  if (signal === undefined) {
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
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
      parallel: sources.parallel,
      signal: signal ?? interruption.signal,
      onStarted: name => onStarted?.(name),
      hookOutput,
      dryRun: session.dryRun,
      onStep: (step, phase) => {
        for (const event of words.of(step, phase)) progress.tell(event);
      },
    });
    if (interruption.signal.aborted) throw new ExitError(interruptedStatus, 'canceled');
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}
