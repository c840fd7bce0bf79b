import { parseDetachKeys } from '../../engine/containers/detach-keys.ts';
import type { Attachment, ExecRecord } from '../../engine/engine.ts';
import { EngineError, kindOf, messageOf } from '../../stdx/errors.ts';
import type { Call, Route } from '../call.ts';
import { execCreate, execStart } from '../convert/shapes.ts';
import { expectEarlyData, type Hijacked, hijack } from '../hijack.ts';
import { terminalSize } from './lifecycle.ts';

/** Further processes in running containers. */
export const execRoutes: readonly Route[] = [
  { method: 'POST', path: '/containers/{id}/exec', handler: create },
  { method: 'POST', path: '/exec/{id}/start', handler: start },
  { method: 'POST', path: '/exec/{id}/resize', handler: resize },
  { method: 'GET', path: '/exec/{id}/json', handler: inspect },
];

async function create(call: Call): Promise<void> {
  const body = await call.body(execCreate, 'ExecConfig', { required: true });
  if ((body.Cmd ?? []).length === 0) throw new EngineError('invalid', 'No exec command specified');
  const id = await call.engine.execs.create(call.param('id'), {
    user: body.User ?? '',
    privileged: body.Privileged ?? false,
    tty: body.Tty ?? false,
    attachStdin: body.AttachStdin ?? false,
    attachStdout: body.AttachStdout ?? false,
    attachStderr: body.AttachStderr ?? false,
    detachKeys: body.DetachKeys || undefined,
    env: body.Env ?? [],
    workingDir: body.WorkingDir ?? '',
    cmd: body.Cmd ?? [],
    consoleSize: consoleSize(body.ConsoleSize),
  });
  call.json({ Id: id }, 201);
}

async function start(call: Call): Promise<void> {
  expectEarlyData(call);
  const { engine } = call;
  const body = await call.body(execStart, 'ExecStartCheck');
  const record = engine.execs.get(call.param('id'));
  const detach = body.Detach ?? false;
  const options = { detach, tty: body.Tty ?? false, consoleSize: consoleSize(body.ConsoleSize) };
  if (detach) {
    await engine.execs.start(record.id, options);
    call.empty(200);
    return;
  }
  let attachment: Attachment | undefined;
  const wasUsed = record.running || record.exitCode !== null;
  try {
    attachment = await engine.execs.start(record.id, options);
  } catch (error) {
    if (isRefusal(error) && !wasUsed) throw error;
    await sayOnStream(call, record, error);
    return;
  }
  const connection = hijack(call, record.config.tty);
  await pump(call, connection, attachment);
}

async function pump(call: Call, connection: Hijacked, attachment: Attachment | undefined): Promise<void> {
  try {
    await attachment?.pump(connection);
  } catch (error) {
    call.services.log.warn({ err: error, exec: call.param('id') }, 'exec ended with an error');
  } finally {
    await connection.end();
  }
}

/** The container does not run: said by status, while that the exec was used already is said on the stream. */
function isRefusal(error: unknown): boolean {
  return ['notFound', 'conflict', 'notImplemented', 'cancelled'].includes(kindOf(error));
}

/**
 * dockerd has hijacked the connection before it knows whether the command can be started, and says on the stream why
 * not; the exit code (126, 127) is then in the exec's inspect. Clients count on it.
 */
async function sayOnStream(call: Call, record: ExecRecord, error: unknown): Promise<void> {
  const connection = hijack(call, record.config.tty);
  connection.stdout.write(Buffer.from(`${messageOf(error)}\r\n`));
  await connection.end();
}

async function resize(call: Call): Promise<void> {
  await call.engine.execs.resize(call.param('id'), terminalSize(call));
  call.empty(200);
}

function inspect(call: Call): void {
  const { id, containerId, config, running, exitCode, pid, openStdin } = call.engine.execs.get(
    call.param('id'),
  );
  const [entrypoint = '', ...args] = config.cmd;
  call.json({
    ID: id,
    Running: running,
    ExitCode: exitCode,
    ProcessConfig: {
      tty: config.tty,
      entrypoint,
      arguments: args,
      privileged: config.privileged,
      ...(config.user === '' ? {} : { user: config.user }),
    },
    OpenStdin: openStdin,
    OpenStderr: config.attachStderr,
    OpenStdout: config.attachStdout,
    // dockerd never sets it.
    CanRemove: false,
    ContainerID: containerId,
    // Go's JSON of bytes.
    DetachKeys: config.detachKeys === undefined ? '' : parseDetachKeys(config.detachKeys).toString('base64'),
    Pid: pid,
  });
}

function consoleSize(size: number[] | undefined): { rows: number; columns: number } | undefined {
  const [rows = 0, columns = 0] = size ?? [];
  return rows === 0 && columns === 0 ? undefined : { rows, columns };
}
