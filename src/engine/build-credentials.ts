import { chmod, chown, type FileHandle, open } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { ExecutorMount, ExecutorStep, FileOwner } from '../build/executor.ts';
import { hostIdOf } from '../oci/id-mappings.ts';
import type { RuntimeMount } from '../oci/runtime-spec.ts';
import { EngineError } from '../stdx/errors.ts';
import type { Undo } from '../stdx/undo.ts';
import { writeSecretFiles } from '../storage/secret-files.ts';
import { rootOwner } from './containers/user-namespace.ts';
import type { EngineContext } from './context.ts';

/**
 * The files of RUN --mount=type=secret, in memory.
 * @returns the mounts, and what is to be called when they are made
 */
export function showSecrets(
  context: EngineContext,
  step: ExecutorStep,
  undo: Undo,
): { mounts: RuntimeMount[]; release: () => void } {
  const secrets = step.mounts.filter(mount => mount.type === 'secret');
  if (secrets.length === 0) return { mounts: [], release: () => {} };
  const { paths, mapped } = context.storage;
  const files = secrets.map(secret => ({
    value: secret.value,
    ...hostOwner(context, secret),
    mode: secret.permissions,
  }));
  const written = writeSecretFiles(paths, step.id, files, rootOwner(mapped?.mappings));
  undo.push('the secrets', written.release);
  const options = ['bind', 'rprivate', 'ro', 'nosuid', 'nodev', 'noexec'];
  const mounts = secrets.map(
    ({ target }, index): RuntimeMount => ({
      destination: target,
      source: written.paths[index]!,
      type: 'bind',
      options,
    }),
  );
  return { mounts, release: written.release };
}

/**
 * The sockets of RUN --mount=type=ssh: each step has its own, with the owner it asks for, and what is said there is
 * handed on to the client's agent.
 * @param directory of the step; the sockets are made there
 */
export async function showAgents(
  context: EngineContext,
  step: ExecutorStep,
  directory: string,
  undo: Undo,
): Promise<RuntimeMount[]> {
  const agents = step.mounts.filter(mount => mount.type === 'agent');
  const mounts: RuntimeMount[] = [];
  for (const [index, agent] of agents.entries()) {
    const name = `agent-${index}`;
    const close = await relay(directory, name, agent);
    undo.push('the socket of an agent', close);
    const path = join(directory, name);
    const { uid, gid } = hostOwner(context, agent);
    await chown(path, uid, gid);
    await chmod(path, agent.permissions);
    mounts.push({ destination: agent.target, source: path, type: 'bind', options: ['bind', 'rprivate'] });
  }
  return mounts;
}

/** Listens on a socket and joins who comes with the one that the agent is at. @returns the end of it */
async function relay(
  directory: string,
  name: string,
  { socketPath }: ExecutorMount & { type: 'agent' },
): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>();
  const server = createServer(inside => {
    const outside = connect(socketPath);
    for (const [one, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(one);
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      // 'close' follows.
      one.on('error', () => {});
    }
    inside.pipe(outside).pipe(inside);
  });
  const handle = await open(directory, 'r');
  await listen(server, handle, name);
  return async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise(resolve => server.close(resolve));
    await handle.close();
  };
}

/** The path of a socket has 107 bytes at most, which the data-root may have by itself: it goes by a descriptor. */
async function listen(server: Server, directory: FileHandle, name: string): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(`/proc/self/fd/${directory.fd}/${name}`, resolve);
    });
  } catch (error) {
    await directory.close();
    throw error;
  }
}

function hostOwner(context: EngineContext, { uid, gid }: FileOwner): { uid: number; gid: number } {
  const mappings = context.storage.mapped?.mappings;
  if (mappings === undefined) return { uid, gid };
  const [hostUid, hostGid] = [hostIdOf(uid, mappings.uid), hostIdOf(gid, mappings.gid)];
  if (hostUid === undefined || hostGid === undefined)
    throw new EngineError('invalid', `${uid}:${gid} is not in the user namespace of the build`);
  return { uid: hostUid, gid: hostGid };
}
