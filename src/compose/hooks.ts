import { FrameDecoder } from '../api/frames.ts';
import type { Client } from '../client/client.ts';
import { act, hijack, perform } from '../client/operation.ts';
import { containerOperations } from '../client/operations.ts';
import { EngineError, kindOf } from '../stdx/errors.ts';
import type { Hook, Project } from './project.ts';

type Occasion = 'post_start' | 'pre_stop';

/** What takes one of a hook's two outputs. */
export interface HookOutput {
  push(chunk: Buffer): void;
  end(): void;
}

export interface HookedContainer {
  id: string;
  service: string;
}

/**
 * Runs a service's hooks in a container, one after the other.
 * @param project undefined: nobody knows of any
 * @param output makes what takes an output; without it, nobody looks
 * @throws EngineError when one does not exit with 0; those behind it are not run
 */
export async function runHooks(
  client: Client,
  occasion: Occasion,
  project: Project | undefined,
  { id, service }: HookedContainer,
  output?: () => HookOutput,
): Promise<void> {
  for (const hook of project?.services[service]?.[occasion] ?? []) {
    const status = await runHook(client, hook, id, output);
    if (status !== 0) throw new EngineError('internal', `${service} hook exited with status ${status}`);
  }
}

/** As runHooks, for `pre_stop`: a container that has ended, or is gone, has none to run. */
export async function runHooksBeforeStop(
  client: Client,
  project: Project | undefined,
  container: HookedContainer,
): Promise<void> {
  try {
    await runHooks(client, 'pre_stop', project, container);
  } catch (error) {
    const kind = kindOf(error);
    if (kind !== 'notFound' && kind !== 'conflict') throw error;
  }
}

async function runHook(client: Client, hook: Hook, id: string, output?: () => HookOutput): Promise<number> {
  const { Id } = await perform(client, containerOperations.execCreate, {
    path: { id },
    json: {
      Cmd: hook.command ?? [],
      User: hook.user ?? '',
      Privileged: hook.privileged === true,
      WorkingDir: hook.working_dir ?? '',
      Env: Object.entries(hook.environment ?? {}).map(([name, value]) =>
        value === null ? name : `${name}=${value}`,
      ),
      AttachStdout: output !== undefined,
      AttachStderr: output !== undefined,
    },
  });
  const path = { id: Id };
  if (output === undefined)
    await act(client, containerOperations.execStart, { path, json: { Detach: true } });
  else await showOutput(client, Id, output);
  // The engine has no call that waits for it; what it left behind may hold its output open.
  for (let waitMs = 10; ; waitMs = Math.min(waitMs * 1.5, 500)) {
    const { Running, ExitCode } = await perform(client, containerOperations.execInspect, { path });
    if (!Running) return ExitCode ?? 0;
    await new Promise(resolve => setTimeout(resolve, waitMs));
  }
}

async function showOutput(client: Client, id: string, output: () => HookOutput): Promise<void> {
  const { socket, received } = await hijack(client, containerOperations.execStart, {
    path: { id },
    json: { Detach: false, Tty: false },
  });
  const outputs = { stdout: output(), stderr: output() };
  const decoder = new FrameDecoder((stream, payload) =>
    (stream === 'stderr' ? outputs.stderr : outputs.stdout).push(payload),
  );
  await new Promise<void>(resolve => {
    socket.on('data', (chunk: Buffer) => decoder.push(chunk));
    // A daemon that dies resets the connection; asking for the status says so.
    socket.on('error', () => {});
    socket.once('end', () => resolve());
    socket.once('close', () => resolve());
    if (received.length > 0) decoder.push(received);
    socket.resume();
  });
  socket.destroy();
  outputs.stdout.end();
  outputs.stderr.end();
}
