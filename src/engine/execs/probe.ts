import { planProcess } from '../../runtime/spec.ts';
import { publishContainerEvent } from '../containers/attributes.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { linkEnvironmentOf } from '../containers/link-environment.ts';
import { newId } from '../containers/names.ts';
import type { EngineContext } from '../context.ts';
import { eventWords } from './event-words.ts';
import { execProcess } from './process.ts';

/**
 * Runs one health check inside a container and collects the beginning of what it prints. One that takes too long, or
 * whose result nobody wants any more, is killed with all it has started.
 */
export async function runProbe(
  context: EngineContext,
  record: ContainerRecord,
  command: string[],
  options: { timeoutMs: number; outputLimitBytes: number; signal: AbortSignal },
): Promise<{ exitCode: number; output: string; timedOut: boolean }> {
  const execId = newId();
  publishContainerEvent(context, record, `exec_create: ${eventWords(command)}`, { execID: execId });
  const output = new LimitedText(options.outputLimitBytes);
  let outputEnded: Promise<void> | undefined;
  const exec = await context.runtime.exec(record.id, {
    execId,
    process: planProcess(
      execProcess(
        record,
        probeConfig(command),
        undefined,
        linkEnvironmentOf(context, record),
        context.settings,
      ),
      context.runtime.host,
    ),
    stdin: false,
    attached(stream) {
      stream.onOutput((_, chunk) => output.add(chunk));
      outputEnded = new Promise(resolve => stream.onEnd(resolve));
    },
  });
  publishContainerEvent(context, record, `exec_start: ${eventWords(command)}`, { execID: execId });
  let timedOut = false;
  const kill = () =>
    context.runtime.killExec(record.id, execId).catch(error => {
      // The container has ended, and everything in it.
      context.log.debug({ container: record.id, err: error }, 'killing a health check');
    });
  const timer = setTimeout(() => {
    timedOut = true;
    void kill();
  }, options.timeoutMs);
  if (options.signal.aborted) void kill();
  options.signal.addEventListener('abort', kill);
  const exitCode = await exec.exitCode;
  clearTimeout(timer);
  options.signal.removeEventListener('abort', kill);
  await outputEnded;
  publishContainerEvent(context, record, 'exec_die', { execID: execId, exitCode: String(exitCode) });
  return { exitCode, output: output.toString(), timedOut };
}

/** The first bytes of a text, with three dots when there was more, as Docker keeps it. */
class LimitedText {
  readonly #limitBytes: number;
  readonly #chunks: Buffer[] = [];
  #sizeBytes = 0;
  #truncated = false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  add(chunk: Buffer): void {
    const kept = chunk.subarray(0, this.#limitBytes - this.#sizeBytes);
    if (kept.length < chunk.length) this.#truncated = true;
    if (kept.length > 0) this.#chunks.push(Buffer.from(kept));
    this.#sizeBytes += kept.length;
  }

  toString(): string {
    return Buffer.concat(this.#chunks).toString('utf8') + (this.#truncated ? '...' : '');
  }
}

function probeConfig(cmd: string[]) {
  return {
    user: '',
    privileged: false,
    tty: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    env: [],
    workingDir: '',
    cmd,
  };
}
