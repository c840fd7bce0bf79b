import { closeSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { pollDescriptor } from '../linux/poll.ts';
import { isSleeping } from '../linux/process.ts';
import { createPipe, programEnv, readAvailable, reap, spawnProcess, waitForExit } from '../linux/spawn.ts';
import { EngineError, errnoOf } from '../stdx/errors.ts';
import { givePipes } from './id-mappings.ts';

/**
 * conmon, the monitor: one small process per container (and per exec) that is the parent of its first process. It
 * holds stdio, writes the log, serves attach clients and notes the exit code, whether or not a daemon runs.
 *
 * Its protocol (conmon 2.1, src/conmon.c): it answers on the pipe _OCI_SYNCPIPE in lines of JSON, {"data": pid} when
 * the OCI runtime has created the container, {"data": -1, "message": stderr of the runtime} when it could not; an
 * exec later gets {"data": exit code} there. With --exec-attach it first reports on _OCI_ATTACHPIPE that its socket
 * is there, and waits on _OCI_STARTPIPE, so that nobody misses output.
 */
export interface MonitorOptions {
  conmon: string;
  runtime: { path: string; args: readonly string[] };
  id: string;
  bundle: string;
  pidFile: string;
  /** Where a terminal's console socket stands for a moment; at most 80 bytes long. */
  socketDirectory: string;
  exitDirectory: string;
  /** null: nothing is logged. */
  logPath: string | null;
  tty: boolean;
  stdin: boolean;
  /** Whether the container's stdin goes on when an attached client has closed its own. */
  leaveStdinOpen: boolean;
  /** An exec: path of its process.json, and what to do between the socket being there and the program starting. */
  exec?: {
    processPath: string;
    beforeStart?: () => void;
    /** Of the program in the host's ids: the pipes of its streams shall be its own. */
    streamOwner?: { uid: number; gid: number };
    /** Where the runtime writes why it refused. On a terminal crun says it nowhere else that the monitor would see. */
    runtimeLog: string;
  };
}

export interface MonitorAnswer {
  /** Host pid of the created process. */
  pid: number;
  /** Exec only: settles with the exit code; undefined when the monitor died before it knew. */
  exitCode: Promise<number | undefined>;
}

/** The OCI runtime refused; `output` is what it wrote to standard error. */
export class RuntimeRefusal extends Error {
  readonly output: string;

  constructor(output: string) {
    super(output);
    this.output = output;
  }
}

/**
 * Starts a monitor, which creates the container (or runs the exec).
 * @throws RuntimeRefusal, or EngineError when the monitor itself could not.
 */
export async function startMonitor(options: MonitorOptions): Promise<MonitorAnswer> {
  const answers = new AnswerPipe();
  const attach = options.exec === undefined ? undefined : new AnswerPipe();
  const start = options.exec === undefined ? undefined : createPipe('write');
  const descriptors = [null, null, answers.childFd, answers.childFd];
  const env: Record<string, string> = { ...programEnv, TMPDIR: options.socketDirectory, _OCI_SYNCPIPE: '3' };
  if (attach !== undefined && start !== undefined) {
    descriptors.push(start.readFd, attach.childFd);
    env['_OCI_STARTPIPE'] = '4';
    env['_OCI_ATTACHPIPE'] = '5';
  }
  let pid: number;
  let reaped = false;
  try {
    const args = monitorArguments(options);
    pid = spawnProcess({ path: options.conmon, args, env, cwd: options.bundle, descriptors });
  } catch (error) {
    answers.close();
    attach?.close();
    if (start !== undefined) closeSync(start.writeFd);
    throw error;
  } finally {
    answers.closeChildEnd();
    attach?.closeChildEnd();
    if (start !== undefined) closeSync(start.readFd);
  }
  try {
    if (attach !== undefined && start !== undefined) {
      await letExecStart(attach, start.writeFd, async () => {
        if (options.exec?.streamOwner !== undefined) {
          // The process we started notes who the lasting one is, and ends.
          await waitForExit(pid);
          reaped = true;
          givePipes(Number(readFileSync(monitorPidFile(options), 'utf8')), options.exec.streamOwner);
        }
        options.exec?.beforeStart?.();
      });
    }
    const created = await answers.next();
    return {
      pid: pidOf(created, answers, options.exec && readIfThere(options.exec.runtimeLog)),
      exitCode: options.exec === undefined ? noExitCode(answers) : exitCodeOf(answers),
    };
  } catch (error) {
    answers.close();
    throw error;
  } finally {
    attach?.close();
    // The process we started forked the lasting one and ended at once; usually it waits to be reaped already.
    if (!reaped && reap(pid) === undefined) void waitForExit(pid);
  }
}

/**
 * Settles when the monitor has accepted the clients that have connected by now. When its first look at the sockets
 * came before they did, conmon (2.1) looks for processes that have ended next: a program that is let go and ends in
 * between, which happens on a busy machine, ends conmon's loop with the clients still waiting at the door, and what it
 * wrote is in the log alone. A connection wakes conmon before connect(2) returns, so once it sleeps, it has them.
 * It is not waited for without end: a monitor that is stopped must not hold up the daemon.
 */
export async function untilAccepted(monitorPid: number): Promise<void> {
  for (let look = 0; look < 1000 && !isSleeping(monitorPid); look++) {
    if (look < 20) await setImmediate();
    else await sleep(look < 100 ? 1 : 5);
  }
}

interface Answer {
  data: number;
  message?: string;
}

function monitorArguments(options: MonitorOptions): string[] {
  const { id, bundle, runtime, exec } = options;
  const args = ['conmon', '--api-version', '-c', id, '-u', id, '-n', id, '-r', runtime.path, '-b', bundle];
  args.push('-p', options.pidFile, '--exit-dir', options.exitDirectory, '--full-attach');
  // Docker does not sync logs to disk either; it costs an fsync of some ms before the exit code is written.
  args.push('--no-sync-log', '-l', options.logPath === null ? 'none' : `k8s-file:${options.logPath}`);
  for (const argument of runtime.args) args.push('--runtime-arg', argument);
  if (options.tty) args.push('-t');
  if (options.stdin) args.push('-i');
  if (options.leaveStdinOpen) args.push('--leave-stdin-open');
  if (exec !== undefined) {
    args.push('--exec', '--exec-attach', '--exec-process-spec', exec.processPath);
    args.push('--runtime-arg', '--log', '--runtime-arg', exec.runtimeLog);
  }
  if (exec?.streamOwner !== undefined) args.push('--conmon-pidfile', monitorPidFile(options));
  return args;
}

/** @returns '' when there is no such file. */
export function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

function monitorPidFile({ bundle }: MonitorOptions): string {
  return join(bundle, 'monitor-pid');
}

/** The first byte lets the monitor begin; the second, once its socket is there, the program. */
async function letExecStart(
  attach: AnswerPipe,
  startFd: number,
  beforeStart: () => Promise<void>,
): Promise<void> {
  try {
    writeSync(startFd, Buffer.from([0]));
    const ready = await attach.next();
    if (ready === undefined) throw new EngineError('internal', `starting the monitor: ${attach.text.trim()}`);
    await beforeStart();
    writeSync(startFd, Buffer.from([0]));
  } finally {
    closeSync(startFd);
  }
}

function pidOf(answer: Answer | undefined, pipe: AnswerPipe, runtimeLog = ''): number {
  if ((answer === undefined || answer.data <= 0) && runtimeLog !== '') throw new RuntimeRefusal(runtimeLog);
  if (answer === undefined) {
    throw new EngineError(
      'internal',
      `the container's monitor ended early: ${pipe.text.trim() || 'no reason given'}`,
    );
  }
  if (answer.data > 0) return answer.data;
  throw new RuntimeRefusal(answer.message ?? '');
}

async function noExitCode(answers: AnswerPipe): Promise<undefined> {
  answers.close();
}

async function exitCodeOf(answers: AnswerPipe): Promise<number | undefined> {
  const answer = await answers.next();
  answers.close();
  return answer?.data;
}

/** Lines of JSON from the monitor; other lines are complaints of its own, kept for the error message. */
class AnswerPipe {
  /** What came that was no answer. */
  text = '';
  readonly #readFd: number;
  #childFd: number;
  readonly #poller;
  readonly #answers: Answer[] = [];
  #rest = '';
  #ended = false;
  #wake: (() => void) | undefined;

  constructor() {
    const { readFd, writeFd } = createPipe('read');
    this.#readFd = readFd;
    this.#childFd = writeFd;
    this.#poller = pollDescriptor(readFd, () => this.#read(), { keepAlive: true });
    this.#poller.watch({ readable: true });
  }

  get childFd(): number {
    return this.#childFd;
  }

  closeChildEnd(): void {
    if (this.#childFd !== -1) closeSync(this.#childFd);
    this.#childFd = -1;
  }

  /** @returns undefined when the other side has closed. */
  async next(): Promise<Answer | undefined> {
    while (this.#answers.length === 0 && !this.#ended)
      await new Promise<void>(resolve => (this.#wake = resolve));
    return this.#answers.shift();
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#poller.close();
    closeSync(this.#readFd);
    this.#wake?.();
  }

  #read(): void {
    const chunk = readAvailable(this.#readFd, Buffer.allocUnsafe(16 << 10));
    if (chunk === undefined) return;
    this.#rest += chunk.toString();
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(line);
    if (chunk.length === 0) {
      this.text += this.#rest;
      this.close();
    }
    this.#wake?.();
  }

  #take(line: string): void {
    const answer = line.startsWith('{') ? parseAnswer(line) : undefined;
    if (answer !== undefined) this.#answers.push(answer);
    else this.text += `${line}\n`;
  }
}

/** conmon escapes control characters as `\u000a`-like, but leaves bytes that are no UTF-8 as they are. */
function parseAnswer(line: string): Answer | undefined {
  try {
    return JSON.parse(line) as Answer;
  } catch {
    // conmon before 2.1.8 writes a carriage return as `\u00d`, which is no JSON; the text is what matters.
    const match = /^\{"data": (-?\d+), "message": "(.*)"\}$/.exec(line);
    return match === null ? undefined : { data: Number(match[1]), message: match[2]! };
  }
}
