import { mkdirSync } from 'node:fs';
import type { Daemon } from './daemon.ts';
import { type Outcome, type ProgramOptions, runOrThrow, runProgram } from './run-program.ts';

/** The real `docker` client, pointed at one daemon, with a configuration folder of its own. */
export class DockerClient {
  readonly daemon: Daemon;
  readonly env: Record<string, string>;

  constructor(daemon: Daemon, env: Record<string, string> = {}) {
    this.daemon = daemon;
    this.env = { ...clientEnvironment(daemon), ...env };
  }

  /** docker ARGS...; never throws for an exit code. */
  run(args: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
    return runProgram(['docker', ...args], { ...options, env: { ...this.env, ...options.env } });
  }

  /** docker ARGS... that must succeed; returns stdout without the last newline. */
  async must(...args: string[]): Promise<string> {
    return (await runOrThrow(['docker', ...args], { env: this.env, timeoutMs: 180_000 })).trimEnd();
  }

  /** A line of shell with `docker` in it. */
  shell(line: string, options: ProgramOptions = {}): Promise<Outcome> {
    return runProgram(['sh', '-c', line], { ...options, env: { ...this.env, ...options.env } });
  }

  async inspect<T = Record<string, unknown>>(name: string): Promise<T> {
    return (JSON.parse(await this.must('inspect', name)) as T[])[0]!;
  }
}

/** What the client is run with, and the folder it has for itself. */
export function clientEnvironment({
  world,
  socket,
}: Pick<Daemon, 'world' | 'socket'>): Record<string, string> {
  const home = world.path('home');
  mkdirSync(home, { recursive: true });
  return {
    PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    DOCKER_HOST: `unix://${socket}`,
    DOCKER_CONFIG: `${home}/.docker`,
    // The client of 2025 would look for buildx first; the classic protocol is what is compared.
    DOCKER_BUILDKIT: '0',
  };
}
