import { setTimeout as sleep } from 'node:timers/promises';
import type { RuntimeSpec } from '../oci/runtime-spec.ts';
import { EngineError } from '../stdx/errors.ts';
import type { AttachStream } from './attach.ts';
import type { ExitStatus } from './container-state.ts';
import type { Runtime } from './runtime.ts';
import { SIGKILL } from './signals.ts';

/** A build step or another program that is waited for. */
export interface DirectOptions {
  id: string;
  spec: RuntimeSpec;
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
  /** Instead of the two above, for a process on a terminal; settles when its output has ended. */
  converse?: (stream: AttachStream) => Promise<void>;
  signal?: AbortSignal;
  /** Called between create and start, e.g. to give it a network. */
  beforeStart?: (pid: number) => void | Promise<void>;
  runtimeName?: string;
}

export interface DirectResult {
  exitCode: number;
  oomKilled: boolean;
  /** Settles when nothing is left of the container; its processes are gone before. */
  removed: Promise<void>;
}

/** What Runtime.runDirect does. @param nextExit the next end of a container. */
export async function runToEnd(
  runtime: Runtime,
  nextExit: (id: string) => Promise<ExitStatus>,
  options: DirectOptions,
): Promise<DirectResult> {
  const { id, spec, signal, runtimeName } = options;
  const cancelled = () => new EngineError('cancelled', 'the operation was cancelled');
  if (isAborted(signal)) throw cancelled();
  const { pid } = await runtime.create({
    id,
    spec,
    stdin: options.converse !== undefined,
    stdinOnce: options.converse !== undefined,
    logPath: null,
    runtimeName,
  });
  const abort = () => void runtime.kill(id, SIGKILL).catch(nothingToKill);
  signal?.addEventListener('abort', abort);
  try {
    const stream = runtime.attach(id);
    const output = options.converse?.(stream) ?? collect(stream, options);
    const exited = nextExit(id);
    await options.beforeStart?.(pid);
    // Cut off meanwhile: it is dead, and there is nobody at the gate.
    if (isAborted(signal)) throw cancelled();
    await runtime.start(id);
    const [{ exitCode, oomKilled }] = await Promise.all([exited, output]);
    if (isAborted(signal)) throw cancelled();
    // With the first process of its namespace all others have died. What is left to do keeps nobody waiting, not even
    // by keeping this thread busy: what comes next is under way by then.
    const removed = sleep(removalDelayMs).then(() => runtime.delete(id));
    removed.catch(() => {});
    return { exitCode, oomKilled, removed };
  } catch (error) {
    await runtime.delete(id);
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

async function collect(stream: AttachStream, options: DirectOptions): Promise<void> {
  stream.onOutput((name, chunk) => options[name](chunk));
  await new Promise<void>(resolve => stream.onEnd(resolve));
}

const removalDelayMs = 5;

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function nothingToKill(error: unknown): void {
  // It has ended by itself meanwhile; the waiting side sees that.
  if (!(error instanceof EngineError) || error.kind !== 'conflict') throw error;
}
