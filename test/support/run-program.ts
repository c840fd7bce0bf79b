import { spawn } from 'node:child_process';

export interface ProgramOptions {
  input?: string | Buffer;
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** The whole process group is killed after this; the outcome says `timedOut`. */
  timeoutMs?: number;
}

export interface Outcome {
  stdout: string;
  stderr: string;
  /** Null when a signal ended the program. */
  code: number | null;
  timedOut: boolean;
  durationMs: number;
}

const defaultTimeoutMs = 120_000;
/** A background child of a shell line may hold the pipes open; its parent's exit is what counts. */
const pipeGraceMs = 300;

/** Runs a program to its end and never throws for its exit code: tests compare codes. */
export function runProgram(argv: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let timedOut = false;
    let settled = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child.pid);
    }, options.timeoutMs ?? defaultTimeoutMs);
    const settle = (code: number | null): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
        code,
        timedOut,
        durationMs: performance.now() - started,
      });
    };
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // Timers come before the pipes when the machine was busy: what the program wrote may not have been read yet.
    const settleWhenQuiet = (code: number | null): void => {
      const read = stdout.length + stderr.length;
      const look = () => (stdout.length + stderr.length === read ? settle(code) : settleWhenQuiet(code));
      setTimeout(() => setImmediate(look), pipeGraceMs);
    };
    child.on('error', error => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', settle);
    child.on('exit', settleWhenQuiet);
    // A program that ends without reading its input closes the pipe: that is its right, not an error here.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}

/** As runProgram, but a failure is an error that shows what the program said. For setting things up. */
export async function runOrThrow(argv: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const outcome = await runProgram(argv, options);
  if (outcome.code !== 0) {
    const why = outcome.timedOut ? 'timed out' : `exit code ${outcome.code}`;
    throw new Error(`${argv.join(' ')}: ${why}\n${outcome.stdout}${outcome.stderr}`);
  }
  return outcome.stdout;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended between the timer and here.
  }
}
