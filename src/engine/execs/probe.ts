import { SIGKILL } from '../../runtime/signals.ts';
import { planProcess } from '../../runtime/spec.ts';
import { publishContainerEvent } from '../containers/attributes.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { linkEnvironmentOf } from '../containers/link-environment.ts';
import { newId } from '../containers/names.ts';
import type { EngineContext } from '../context.ts';
import { execProcess } from './process.ts';

/** Runs one health check inside a container and collects the beginning of what it prints. */
export async function runProbe(
  context: EngineContext,
  record: ContainerRecord,
  command: string[],
  options: { timeoutMs: number; outputLimitBytes: number },
): Promise<{ exitCode: number; output: string; timedOut: boolean }> {
  const execId = newId();
  publishContainerEvent(context, record, `exec_create: ${command.join(' ')}`, { execID: execId });
  let output = '';
  let outputEnded: Promise<void> | undefined;
  const exec = await context.runtime.exec(record.id, {
    execId,
    process: planProcess(
      execProcess(record, probeConfig(command), undefined, linkEnvironmentOf(context, record)),
      context.runtime.host,
    ),
    stdin: false,
    attached(stream) {
      stream.onOutput((_, chunk) => {
        output = (output + chunk.toString('utf8')).slice(0, options.outputLimitBytes);
      });
      outputEnded = new Promise(resolve => stream.onEnd(resolve));
    },
  });
  publishContainerEvent(context, record, `exec_start: ${command.join(' ')}`, { execID: execId });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    context.runtime.killExec(record.id, execId, SIGKILL);
  }, options.timeoutMs);
  const exitCode = await exec.exitCode;
  clearTimeout(timer);
  await outputEnded;
  publishContainerEvent(context, record, 'exec_die', { execID: execId, exitCode: String(exitCode) });
  return { exitCode, output, timedOut };
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
