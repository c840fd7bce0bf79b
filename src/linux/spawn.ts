import { closeSync, readSync } from 'node:fs';
import { errnoOf } from '../stdx/errors.ts';
import {
  F_SETFL,
  O_CLOEXEC,
  O_NONBLOCK,
  POSIX_SPAWN_SETSID,
  POSIX_SPAWN_SETSIGDEF,
  POSIX_SPAWN_SETSIGMASK,
  WNOHANG,
} from './constants.ts';
import { endOf, exitCodeOfStatus } from './exit-code.ts';
import { cPath, libc, libcRaw, SystemError } from './libc.ts';
import { pollDescriptor } from './poll.ts';
import { pidfdOpen } from './process.ts';

/**
 * Starting programs with posix_spawn(3): 0.14 ms of this thread, where child_process.spawn takes 3.8 ms in a process
 * of 150 MB (it forks, and copies the page tables).
 *
 * The caller must wait for every child, by `waitForExit` or `reap`; nobody else does.
 */
export interface SpawnOptions {
  /** Absolute: nothing is looked up. */
  path: string;
  /** With the program's own name first. */
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  cwd?: string;
  /** The child's descriptors 0, 1, 2, ...: one of ours, or `null` for /dev/null. All others of ours are closed. */
  descriptors: readonly (number | null)[];
  /** Its own session, away from our terminal. */
  newSession?: boolean;
}

/** @returns the child's pid. */
export function spawnProcess(options: SpawnOptions): number {
  const actions = Buffer.alloc(STRUCT_BYTES);
  check('posix_spawn_file_actions_init', actionsInit(actions));
  try {
    addActions(actions, options);
    const attributes = spawnAttributes(options.newSession === true);
    try {
      const pid = Buffer.alloc(4);
      const env = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
      const path = cPath(options.path);
      check(
        options.path,
        posixSpawn(pid, path, actions, attributes, [...options.args, null], [...env, null]),
      );
      return pid.readInt32LE(0);
    } finally {
      attributesDestroy(attributes);
    }
  } finally {
    actionsDestroy(actions);
  }
}

/** How a child ended; 128 and the signal's number when a signal ended it. */
export async function waitForExit(pid: number): Promise<number> {
  const pidfd = pidfdOpen(pid);
  await endOf(pidfd);
  closeSync(pidfd);
  return reap(pid) ?? 0;
}

/** Takes a child that has ended off the process table. @returns undefined while it runs. */
export function reap(pid: number): number | undefined {
  const status = Buffer.alloc(4);
  if (waitpid(`process ${pid}`, pid, status, WNOHANG) === 0) return undefined;
  return exitCodeOfStatus(status.readInt32LE(0));
}

/** A pipe, both ends close-on-exec. The end we keep is non-blocking. */
export function createPipe(ours: 'read' | 'write'): { readFd: number; writeFd: number } {
  const pair = Buffer.alloc(8);
  pipe2('', pair, O_CLOEXEC);
  const [readFd, writeFd] = [pair.readInt32LE(0), pair.readInt32LE(4)];
  fcntl('O_NONBLOCK', ours === 'read' ? readFd : writeFd, F_SETFL, O_NONBLOCK);
  return { readFd, writeFd };
}

/** What a non-blocking descriptor has now: undefined when nothing, an empty buffer at its end. */
export function readAvailable(fd: number, buffer: Buffer): Buffer | undefined {
  try {
    return buffer.subarray(0, readSync(fd, buffer));
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return undefined;
    throw error;
  }
}

/**
 * Runs a program to its end.
 * @returns its exit code and what it wrote, standard output and error together.
 */
export async function runProgram(
  path: string,
  args: readonly string[],
): Promise<{ exitCode: number; output: string }> {
  const { readFd, writeFd } = createPipe('read');
  let pid: number;
  try {
    pid = spawnProcess({
      path,
      args: [path, ...args],
      env: programEnv,
      descriptors: [null, writeFd, writeFd],
    });
  } catch (error) {
    closeSync(readFd);
    throw error;
  } finally {
    closeSync(writeFd);
  }
  const output = await readToEnd(readFd);
  return { exitCode: await waitForExit(pid), output: output.toString() };
}

/** Reads a non-blocking descriptor to its end and closes it. */
export async function readToEnd(fd: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await new Promise<void>(resolve => {
    const poller = pollDescriptor(
      fd,
      () => {
        const chunk = readAvailable(fd, Buffer.allocUnsafe(16 << 10));
        if (chunk === undefined) return;
        if (chunk.length > 0) {
          chunks.push(chunk);
          return;
        }
        poller.close();
        closeSync(fd);
        resolve();
      },
      { keepAlive: true },
    );
    poller.watch({ readable: true });
  });
  return Buffer.concat(chunks);
}

/** What programs of the host run with: nothing of ours. */
export const programEnv: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
};

/** posix_spawn_file_actions_t has 80 bytes, posix_spawnattr_t 336, sigset_t 128. */
const STRUCT_BYTES = 512;

type CPath = string | Buffer;

const posixSpawn = libcRaw<[Buffer, CPath, Buffer, Buffer, (string | null)[], (string | null)[]]>(
  'int posix_spawn(void *pid, const char *path, const void *actions, const void *attributes, const char **argv, const char **env)',
);
const actionsInit = libcRaw<[Buffer]>('int posix_spawn_file_actions_init(void *actions)');
const actionsDestroy = libcRaw<[Buffer]>('int posix_spawn_file_actions_destroy(void *actions)');
const addDup2 = libcRaw<[Buffer, number, number]>(
  'int posix_spawn_file_actions_adddup2(void *actions, int from, int to)',
);
const addOpen = libcRaw<[Buffer, number, string, number, number]>(
  'int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, uint mode)',
);
const addCloseFrom = libcRaw<[Buffer, number]>(
  'int posix_spawn_file_actions_addclosefrom_np(void *actions, int from)',
);
const addChdir = libcRaw<[Buffer, CPath]>(
  'int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)',
);
const attributesInit = libcRaw<[Buffer]>('int posix_spawnattr_init(void *attributes)');
const attributesDestroy = libcRaw<[Buffer]>('int posix_spawnattr_destroy(void *attributes)');
const setFlags = libcRaw<[Buffer, number]>('int posix_spawnattr_setflags(void *attributes, short flags)');
const setSigDefault = libcRaw<[Buffer, Buffer]>(
  'int posix_spawnattr_setsigdefault(void *attributes, const void *signals)',
);
const setSigMask = libcRaw<[Buffer, Buffer]>(
  'int posix_spawnattr_setsigmask(void *attributes, const void *signals)',
);
const waitpid = libc<[number, Buffer, number]>('int waitpid(int pid, void *status, int options)');
const pipe2 = libc<[Buffer, number]>('int pipe2(void *pair, int flags)');
const fcntl = libc<[number, number, number]>('int fcntl(int fd, int command, int argument)');

const O_RDWR = 2;

function addActions(actions: Buffer, { cwd, descriptors }: SpawnOptions): void {
  // Node's own descriptors fill the low numbers, so ours never stand where a child's is put before they are copied.
  for (const [number, descriptor] of descriptors.entries()) {
    if (descriptor === null) check('/dev/null', addOpen(actions, number, '/dev/null', O_RDWR, 0));
    else check(`descriptor ${descriptor}`, addDup2(actions, descriptor, number));
  }
  // Ours are close-on-exec, but not those that whoever started us let through.
  check('closefrom', addCloseFrom(actions, descriptors.length));
  if (cwd !== undefined) check(cwd, addChdir(actions, cPath(cwd)));
}

/** Node ignores SIGPIPE, and an ignored signal stays ignored across exec: everything is set back to default. */
function spawnAttributes(newSession: boolean): Buffer {
  const attributes = Buffer.alloc(STRUCT_BYTES);
  check('posix_spawnattr_init', attributesInit(attributes));
  const allSignals = Buffer.alloc(128, 0xff);
  check('posix_spawnattr_setsigdefault', setSigDefault(attributes, allSignals));
  check('posix_spawnattr_setsigmask', setSigMask(attributes, Buffer.alloc(128)));
  const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | (newSession ? POSIX_SPAWN_SETSID : 0);
  check('posix_spawnattr_setflags', setFlags(attributes, flags));
  return attributes;
}

/** The posix_spawn family returns the error's number. */
function check(detail: string, errno: number): void {
  if (errno !== 0) throw new SystemError(errno, 'posix_spawn', detail);
}
