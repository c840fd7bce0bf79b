import { SIGKILL } from '../../runtime/signals.ts';
import { EngineError, within } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import { publishContainerEvent } from './attributes.ts';
import type { ContainerRecord } from './container.ts';
import { largestSignal, parseSignalOption, parseStopSignal } from './signals.ts';

/** Seconds between the stop signal and SIGKILL when nobody says otherwise, as in Docker. */
export const defaultStopTimeoutS = 10;
/** How long a process may take to vanish after SIGKILL before we say so: an uninterruptible one can take for ever. */
const killTimeoutMs = 30_000;

/** @throws notModified when it does not run */
export async function stopContainer(
  context: EngineContext,
  ref: string,
  options: { signal?: string; timeoutS?: number } = {},
): Promise<void> {
  const record = context.containers.get(ref);
  const signal = parseStopSignal(options.signal || record.config.stopSignal || 'SIGTERM');
  const timeoutS = options.timeoutS ?? record.config.stopTimeoutS ?? defaultStopTimeoutS;
  if (!isUp(record)) throw new EngineError('notModified', `Container ${ref} is not running`);
  await terminate(context, record, signal, timeoutS);
  publishContainerEvent(context, record, 'stop');
}

/** @param options.byUser false: what comes next is not for restart policies to be quiet about; default true. */
export async function terminate(
  context: EngineContext,
  record: ContainerRecord,
  signal: number,
  timeoutS: number,
  { byUser = true }: { byUser?: boolean } = {},
): Promise<void> {
  const ended = context.waits.wait(record, 'not-running');
  await signalContainer(context, record, signal, { final: true, byUser });
  if (timeoutS < 0) {
    await ended;
    return;
  }
  if (signal !== SIGKILL) {
    if (await settlesWithin(ended, timeoutS * 1000)) return;
    await signalContainer(context, record, SIGKILL, { final: true, byUser });
  }
  if (await settlesWithin(ended, killTimeoutMs)) return;
  throw new EngineError(
    'internal',
    `Container ${record.id} did not end ${killTimeoutMs / 1000} s after SIGKILL`,
  );
}

/**
 * Sends a signal to the first process. A container that only waits for its next start is ended by not starting it.
 * @param options.final it is meant to end the container: a paused one is thawed, as a frozen process takes no signal
 * @param options.byUser of a final signal: restart policies stay quiet afterwards
 */
async function signalContainer(
  context: EngineContext,
  record: ContainerRecord,
  signal: number,
  options: { final: boolean; byUser: boolean },
): Promise<void> {
  await context.locks.run(record.id, async () => {
    if (!isUp(record)) return;
    if (options.byUser) {
      record.manuallyStopped = true;
      if (options.final) record.restartCancelled = true;
      context.containers.save(record);
    }
    if (record.state.status === 'restarting') {
      if (options.final && options.byUser) cancelRestart(context, record);
      return;
    }
    publishContainerEvent(context, record, 'kill', { signal: String(signal) });
    if (!(await sendSignal(context, record, signal))) return;
    if (options.final && record.state.status === 'paused') {
      record.state.status = 'running';
      context.containers.save(record);
      await context.runtime.resume(record.id);
    }
  });
}

/** @returns false when the process has ended already: its exit waits for the lock we hold */
async function sendSignal(context: EngineContext, record: ContainerRecord, signal: number): Promise<boolean> {
  try {
    await context.runtime.kill(record.id, signal);
    return true;
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'conflict') return false;
    throw error;
  }
}

/** @throws conflict when it does not run */
export async function killContainer(context: EngineContext, ref: string, signalName?: string): Promise<void> {
  const record = requireKillable(context, ref, signalName);
  const signal = parseSignalOption(signalName || 'SIGKILL');
  const { stopSignal } = record.config;
  // As in Docker: where nobody said which signal stops it, every one is meant to.
  const final = signal === SIGKILL || !stopSignal || signal === parseStopSignal(stopSignal);
  const ended = signal === SIGKILL ? context.waits.wait(record, 'not-running') : undefined;
  await signalContainer(context, record, signal, { final, byUser: true });
  if (ended !== undefined) await settlesWithin(ended, killTimeoutMs);
}

function requireKillable(
  context: EngineContext,
  ref: string,
  signalName: string | undefined,
): ContainerRecord {
  // A name that is none is said without the container, a number that is none with it.
  const numeric = /^\d+$/.test(signalName ?? '');
  if (signalName && !numeric) parseSignalOption(signalName);
  try {
    if (numeric && Number(signalName) > largestSignal) {
      throw new EngineError('invalid', `The linux daemon does not support signal ${signalName}`);
    }
    const record = context.containers.get(ref);
    if (isUp(record)) return record;
    throw new EngineError('conflict', `Container ${record.id} is not running`);
  } catch (error) {
    throw within(`Cannot kill container: ${ref}`, error);
  }
}

/** @throws notFound, conflict */
export async function pauseContainer(context: EngineContext, ref: string): Promise<void> {
  const record = context.containers.get(ref);
  await context.locks.run(record.id, async () => {
    if (record.state.status === 'paused')
      throw new EngineError('conflict', `Container ${record.id} is already paused`);
    if (record.state.status === 'restarting') {
      throw new EngineError(
        'conflict',
        `Container ${record.id} is restarting, wait until the container is running`,
      );
    }
    if (record.state.status !== 'running') {
      throw new EngineError('conflict', `Container ${record.id} is not running`);
    }
    context.health.stop(record);
    await context.runtime.pause(record.id);
    record.state.status = 'paused';
    // What is not checked any more is not healthy, as in Docker: the next check after the pause decides.
    if (record.state.health !== undefined) record.state.health.status = 'unhealthy';
    context.containers.save(record);
    publishContainerEvent(context, record, 'pause');
  });
}

export async function unpauseContainer(context: EngineContext, ref: string): Promise<void> {
  const record = context.containers.get(ref);
  await context.locks.run(record.id, async () => {
    if (record.state.status !== 'paused') {
      // The one refusal of this kind that dockerd answers with 500.
      throw new EngineError('internal', `Container ${record.id} is not paused`);
    }
    await context.runtime.resume(record.id);
    record.state.status = 'running';
    context.health.resume(record);
    context.containers.save(record);
    publishContainerEvent(context, record, 'unpause');
  });
}

/** Has a process, or will have one again without anybody's doing. */
export function isUp(record: ContainerRecord): boolean {
  return ['running', 'paused', 'restarting'].includes(record.state.status);
}

/** The caller holds the lock of a container that is `restarting`. */
function cancelRestart(context: EngineContext, record: ContainerRecord): void {
  context.restarts.cancel(record.id);
  record.state.status = 'exited';
  context.containers.save(record);
  context.waits.exited(record);
}

async function settlesWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
