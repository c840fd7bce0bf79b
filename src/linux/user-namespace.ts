import { closeSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import { openNamespace } from './namespaces.ts';
import { pollDescriptor } from './poll.ts';
import { createPipe, programEnv, readAvailable, spawnProcess, waitForExit } from './spawn.ts';

/**
 * Makes a user namespace with the given maps, for mounts to be mapped by (mount_setattr(2)); no process lives in it.
 * A process of many threads cannot unshare(2) one itself, so a shell does, and is gone when this returns.
 * @param unshare path of unshare(1)
 * @returns a descriptor that keeps the namespace alive until it is closed.
 */
export async function openUserNamespace(
  unshare: string,
  maps: { uidMap: string; gidMap: string },
): Promise<number> {
  const input = createPipe('write');
  const output = createPipe('read');
  let pid: number;
  try {
    pid = spawnProcess({
      path: unshare,
      args: ['unshare', '--user', '--', '/bin/sh', '-c', 'echo inside; read -r line'],
      env: programEnv,
      descriptors: [input.readFd, output.writeFd, output.writeFd],
    });
  } catch (error) {
    for (const fd of [input.writeFd, output.readFd]) closeSync(fd);
    throw error;
  } finally {
    closeSync(input.readFd);
    closeSync(output.writeFd);
  }
  try {
    const said = await firstWords(output.readFd);
    if (said !== 'inside') throw new EngineError('internal', `making a user namespace: ${said}`);
    writeFileSync(`/proc/${pid}/uid_map`, maps.uidMap);
    writeFileSync(`/proc/${pid}/gid_map`, maps.gidMap);
    return openNamespace(`/proc/${pid}/ns/user`);
  } finally {
    letGo(input.writeFd);
    await waitForExit(pid);
  }
}

/** Maps of a process as the kernel shows them; undefined when it is gone. */
export function readIdMaps(pid: number): { uidMap: string; gidMap: string } | undefined {
  try {
    return {
      uidMap: readFileSync(`/proc/${pid}/uid_map`, 'utf8'),
      gidMap: readFileSync(`/proc/${pid}/gid_map`, 'utf8'),
    };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}

function firstWords(fd: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      poller.close();
      closeSync(fd);
      settle();
    };
    const poller = pollDescriptor(
      fd,
      () => {
        try {
          const chunk = readAvailable(fd, Buffer.alloc(4096));
          if (chunk !== undefined) finish(() => resolve(chunk.toString().trim()));
        } catch (error) {
          finish(() => reject(error));
        }
      },
      { keepAlive: true },
    );
    poller.watch({ readable: true });
  });
}

/** The shell ends with its line; one that has ended already does not mind. */
function letGo(fd: number): void {
  try {
    writeSync(fd, '\n');
  } catch (error) {
    if (errnoOf(error) !== 'EPIPE') throw error;
  } finally {
    closeSync(fd);
  }
}
