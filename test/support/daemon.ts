import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { childOf, type World } from './world.ts';

export type DaemonKind = 'dockerd' | 'gantryd';

export const repository = join(import.meta.dirname, '../..');

/** A daemon inside a world. It can be killed and started again on the same data-root. */
export class Daemon {
  readonly kind: DaemonKind;
  readonly world: World;
  readonly socket: string;
  readonly logFile: string;
  readonly extraArguments: readonly string[];
  #child: ChildProcess | undefined;

  static async start(
    world: World,
    kind: DaemonKind,
    extraArguments: readonly string[] = [],
  ): Promise<Daemon> {
    const daemon = new Daemon(world, kind, extraArguments);
    await daemon.start();
    return daemon;
  }

  private constructor(world: World, kind: DaemonKind, extraArguments: readonly string[]) {
    this.world = world;
    this.kind = kind;
    this.socket = world.path('docker.sock');
    this.logFile = world.path(`${kind}.log`);
    this.extraArguments = extraArguments;
  }

  /** Returns once /_ping answers 200; a daemon that ends before says why. Returns how long it took. */
  async start(): Promise<number> {
    const started = performance.now();
    const child = this.#spawn();
    const deadline = Date.now() + 180_000;
    while ((await ping(this.socket)) !== 200) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`${this.kind} ended:\n${this.logTail()}`);
      if (Date.now() > deadline) throw new Error(`${this.kind} does not answer:\n${this.logTail()}`);
      // Asking is work too, where the machine is slow.
      await sleep(performance.now() - started < 2000 ? 5 : 200);
    }
    return performance.now() - started;
  }

  /** Starts it and kills it some time later, wherever it is by then. */
  async startAndKill(afterMs: number): Promise<void> {
    const child = this.#spawn();
    while (child.exitCode === null && childOf(child.pid!) === undefined) await sleep(1);
    await sleep(afterMs);
    await this.kill();
  }

  #spawn(): ChildProcess {
    const log = openSync(this.logFile, 'a');
    const argv = this.world.inside([...daemonProgram(this.kind), ...this.arguments()]);
    this.#child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', log, log] });
    closeSync(log);
    return this.#child;
  }

  arguments(): string[] {
    const common = ['--data-root', this.world.path('data'), '--exec-root', this.world.path('exec')];
    const where = ['-H', `unix://${this.socket}`, '--pidfile', this.world.path('daemon.pid')];
    // Without CAP_SYS_RESOURCE dockerd may not take its usual negative OOM score.
    const own =
      this.kind === 'dockerd' ? ['--oom-score-adjust', '0', '--cgroup-parent', this.world.cgroupParent] : [];
    return [...common, ...where, ...own, ...this.extraArguments];
  }

  /** Pid of the daemon itself, seen from outside the world. */
  get pid(): number {
    const pid = childOf(this.#child!.pid!);
    if (pid === undefined) throw new Error(`${this.kind} does not run`);
    return pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** SIGKILL, as a power cut would end it; everything else in the world goes on. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.running) return;
    const child = this.#child!;
    const ended = new Promise(resolve => child.once('exit', resolve));
    process.kill(this.pid, signal);
    await ended;
  }

  logTail(lines = 30): string {
    if (!existsSync(this.logFile)) return '';
    return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }
}

/** GANTRYD names another way to start Gantry's daemon, for example a bundle; words are split at blanks. */
export function daemonProgram(kind: DaemonKind): string[] {
  if (kind === 'dockerd') return ['dockerd'];
  const named = process.env['GANTRYD'];
  return named ? named.split(' ') : [process.execPath, join(repository, 'src/main/gantryd.ts')];
}

/** The status of /_ping, or undefined while nobody listens. */
export function ping(socketPath: string): Promise<number | undefined> {
  return new Promise(resolve => {
    const asked = request({ socketPath, path: '/_ping', timeout: 5000 }, response => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}
