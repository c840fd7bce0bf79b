import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { pollDescriptor } from '../linux/poll.ts';
import { createPipe, programEnv, readAvailable, spawnProcess, waitForExit } from '../linux/spawn.ts';
import type { AttachStream } from './attach.ts';
import { RuntimeRefusal, readIfThere } from './monitor.ts';
import { PipeStream } from './pipe-stream.ts';

export interface AttachedExecOptions {
  /** crun: what it writes where, and when, is counted on here. */
  crun: string;
  runtimeRoot: string;
  containerId: string;
  bundle: string;
  processPath: string;
  /** `none` is the host's /dev/null, `empty` an input that has ended. */
  input: 'open' | 'empty' | 'none';
  /** Called before the program starts, with its streams. */
  attached: (stream: AttachStream) => void;
}

/**
 * Runs a program in a container with pipes that the daemon holds, without a monitor: two processes less to start. crun
 * waits for the program and ends with its exit code; it says on descriptor 3 that the program runs, by writing its
 * pid there.
 *
 * When the daemon dies the program goes on, as one of dockerd's does: crun keeps the reading ends of its pipes open
 * (descriptors 4 and 5), so that it is not killed by writing, and waits when they are full.
 * @throws RuntimeRefusal with what crun said
 */
export async function startAttachedExec(
  options: AttachedExecOptions,
): Promise<{ pid: number; exitCode: Promise<number> }> {
  const { bundle, containerId, input } = options;
  const log = join(bundle, 'log');
  const stdin = input === 'none' ? undefined : createPipe('write');
  const [stdout, stderr, started] = [createPipe('read'), createPipe('read'), createPipe('read')];
  const stream = new PipeStream({
    stdinFd: stdin?.writeFd,
    stdoutFd: stdout.readFd,
    stderrFd: stderr.readFd,
  });
  if (input === 'empty') stream.closeStdin();
  options.attached(stream);
  const paths = ['--root', options.runtimeRoot, '--log', log];
  let crunPid: number;
  try {
    crunPid = spawnProcess({
      path: options.crun,
      args: [
        'crun',
        ...paths,
        'exec',
        '--pid-file',
        '/proc/self/fd/3',
        '-p',
        options.processPath,
        containerId,
      ],
      env: programEnv,
      descriptors: [
        stdin?.readFd ?? null,
        stdout.writeFd,
        stderr.writeFd,
        started.writeFd,
        stdout.readFd,
        stderr.readFd,
      ],
      // Signals to the daemon's terminal are not for it.
      newSession: true,
    });
  } catch (error) {
    closeSync(started.readFd);
    stream.destroy();
    throw error;
  } finally {
    for (const fd of [stdin?.readFd, stdout.writeFd, stderr.writeFd, started.writeFd]) {
      if (fd !== undefined) closeSync(fd);
    }
  }
  const ended = waitForExit(crunPid);
  const pid = await pidWrittenTo(started.readFd);
  if (pid === undefined) {
    await ended;
    stream.destroy();
    throw new RuntimeRefusal(readIfThere(log));
  }
  return {
    pid,
    exitCode: ended.then(exitCode => {
      stream.programEnded();
      return exitCode;
    }),
  };
}

/** Closes the descriptor. @returns undefined when nothing was written: the program was not started. */
async function pidWrittenTo(fd: number): Promise<number | undefined> {
  const text = await new Promise<string>(resolve => {
    const poller = pollDescriptor(
      fd,
      () => {
        const chunk = readAvailable(fd, Buffer.alloc(32));
        if (chunk === undefined) return;
        poller.close();
        closeSync(fd);
        resolve(chunk.toString());
      },
      { keepAlive: true },
    );
    poller.watch({ readable: true });
  });
  return text === '' ? undefined : Number(text);
}
