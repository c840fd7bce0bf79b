import type { AttachStream } from '../../runtime/attach.ts';
import { planProcess } from '../../runtime/spec.ts';
import { StartError } from '../../runtime/start-error.ts';
import { EngineError } from '../../stdx/errors.ts';
import { pumpStream } from '../containers/attach.ts';
import { publishContainerEvent } from '../containers/attributes.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { parseDetachKeys } from '../containers/detach-keys.ts';
import { linkEnvironmentOf } from '../containers/link-environment.ts';
import { newId } from '../containers/names.ts';
import { isUp } from '../containers/stop.ts';
import type { EngineContext } from '../context.ts';
import type { Attachment, ExecConfig, ExecRecord, ExecUseCases } from '../engine.ts';
import { eventWords } from './event-words.ts';
import { execProcess } from './process.ts';

export function execUseCases(context: EngineContext): ExecUseCases {
  return {
    create: async (containerRef, config) => createExec(context, containerRef, config),
    start: (id, options) => startExec(context, context.execs.get(id), options),
    get: id => context.execs.get(id),
    async resize(id, size) {
      const record = context.execs.get(id);
      await context.execs.whenStarted(record, startWithinMs);
      if (!record.running) throw new EngineError('notFound', 'no such exec');
      if (!record.config.tty) return;
      context.runtime.resize(record.containerId, record.id, { rows: size.rows, cols: size.columns });
    },
  };
}

/** A client may tell the size of its terminal before it starts the command; as long does dockerd wait for the start. */
const startWithinMs = 10_000;

function createExec(context: EngineContext, containerRef: string, config: ExecConfig): string {
  const container = context.containers.get(containerRef);
  requireRunning(context, containerRef);
  context.runtime.anticipateStart();
  if (config.cmd.length === 0) throw new EngineError('invalid', 'No exec command specified');
  requireDetachKeys(config.detachKeys);
  const record: ExecRecord = {
    id: newId(),
    containerId: container.id,
    config,
    running: false,
    exitCode: null,
    pid: 0,
    openStdin: config.attachStdin,
  };
  context.execs.add(record);
  publishContainerEvent(context, container, `exec_create: ${eventWords(config.cmd)}`, { execID: record.id });
  return record.id;
}

async function startExec(
  context: EngineContext,
  record: ExecRecord,
  options: { detach: boolean; tty: boolean; consoleSize?: { rows: number; columns: number } },
): Promise<Attachment | undefined> {
  const { id, config } = record;
  if (record.running) throw new EngineError('conflict', `Error: Exec command ${id} is already running`);
  if (record.exitCode !== null) {
    throw new EngineError('conflict', `Error: Exec command ${id} has already run`);
  }
  const container = requireRunning(context, record.containerId);
  record.running = true;
  publishContainerEvent(context, container, `exec_start: ${eventWords(config.cmd)}`, { execID: id });
  try {
    const size = options.consoleSize ?? config.consoleSize;
    let stream: AttachStream | undefined;
    const exec = await context.runtime.exec(record.containerId, {
      execId: id,
      process: planProcess(
        execProcess(container, config, size, linkEnvironmentOf(context, container), context.settings),
        context.runtime.host,
      ),
      stdin: config.attachStdin,
      note: config,
      attached: options.detach
        ? undefined
        : opened => {
            // What it prints before the client's streams are ready has to wait.
            opened.pause();
            stream = opened;
          },
    });
    record.pid = exec.pid;
    context.execs.started(record);
    const ended = settleAtEnd(context, container, record, exec.exitCode);
    const opened = stream;
    if (opened === undefined) return undefined;
    return {
      tty: config.tty,
      async pump(client) {
        const detached = await pumpStream(opened, {
          input: config.attachStdin ? client.input : undefined,
          stdout: config.attachStdout || config.tty ? client.stdout : undefined,
          stderr: config.attachStderr ? client.stderr : undefined,
          closesStdin: !config.tty,
          detachKeys: config.tty ? parseDetachKeys(config.detachKeys) : undefined,
        });
        if (detached) {
          publishContainerEvent(context, container, 'exec_detach', { execID: id });
          return;
        }
        // Who sees the end of the stream may ask for the exit code.
        await ended;
      },
    };
  } catch (error) {
    context.execs.ended(record, error instanceof StartError ? error.exitCode : 126);
    throw error;
  }
}

/** Goes on with the commands that a former daemon started in a container that runs. */
export async function adoptExecs(context: EngineContext, container: ContainerRecord): Promise<void> {
  for (const { execId, note, pid, exitCode } of await context.runtime.adoptExecs(container.id)) {
    const config = note as ExecConfig;
    const record: ExecRecord = {
      id: execId,
      containerId: container.id,
      config,
      running: true,
      exitCode: null,
      pid,
      openStdin: config.attachStdin,
    };
    context.execs.add(record);
    void settleAtEnd(context, container, record, exitCode);
  }
}

async function settleAtEnd(
  context: EngineContext,
  container: ContainerRecord,
  record: ExecRecord,
  ended: Promise<number>,
): Promise<void> {
  const exitCode = await ended;
  context.execs.ended(record, exitCode);
  publishContainerEvent(context, container, 'exec_die', { execID: record.id, exitCode: String(exitCode) });
}

/** Docker calls them escape keys here, and finds no other words than for a mistake of its own. */
function requireDetachKeys(keys: string | undefined): void {
  try {
    parseDetachKeys(keys);
  } catch (error) {
    throw new EngineError('internal', `Invalid escape keys (${keys}) provided`, { cause: error });
  }
}

function requireRunning(context: EngineContext, ref: string) {
  const container = context.containers.get(ref);
  if (!isUp(container)) throw new EngineError('conflict', `Container ${container.id} is not running`);
  if (container.state.status === 'paused') {
    throw new EngineError('conflict', `Container ${ref} is paused, unpause the container before exec`);
  }
  if (container.state.status === 'restarting') {
    throw new EngineError(
      'conflict',
      `Container ${container.id} is restarting, wait until the container is running`,
    );
  }
  return container;
}
