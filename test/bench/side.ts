import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Reference } from '../dockerfiles/reference.ts';
import { busyboxArchive } from '../support/base-images.ts';
import { processesSeenIn } from '../support/cgroups.ts';
import { Daemon, type DaemonKind, repository } from '../support/daemon.ts';
import { clientEnvironment } from '../support/docker-client.ts';
import { registryAddress, startRegistry } from '../support/registry.ts';
import { runOrThrow } from '../support/run-program.ts';
import { buildxConfig, composeProgram } from '../support/sid-plugins.ts';
import { hostAddress, World } from '../support/world.ts';

/** Debian's dockerd of this machine, the one of Debian's unstable suite (28.5, with BuildKit), or Gantry. */
export type Contender = DaemonKind | 'buildkit';

/** One daemon being measured, in its own world, with busybox loaded and a registry of its own. */
export class Side {
  readonly kind: Contender;
  readonly world: World;
  readonly startMs: number;
  readonly #env: Record<string, string>;
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  static async start(kind: Contender): Promise<Side> {
    const world = await World.start(`bench-${kind}`);
    try {
      const started = performance.now();
      const { socket } =
        kind === 'buildkit' ? await Reference.startIn(world) : await Daemon.start(world, kind);
      const startMs = performance.now() - started;
      await startRegistry(world);
      const own = clientEnvironment({ world, socket });
      await buildxConfig(own['DOCKER_CONFIG']!);
      const side = new Side(kind, world, startMs, socket, {
        ...own,
        REG: registryAddress,
        GANTRY: join(repository, 'gantry'),
        COMPOSE: kind === 'gantryd' ? `${join(repository, 'gantry')} compose` : await composeProgram(),
        WORK: world.path('work'),
        WORLD: String(world.pid),
        HOST: hostAddress,
        DOCKER_CLI_HINTS: 'false',
      });
      await side.prepare(`docker load -q -i ${await busyboxArchive()}`);
      return side;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  private constructor(
    kind: Contender,
    world: World,
    startMs: number,
    socketPath: string,
    env: Record<string, string>,
  ) {
    this.kind = kind;
    this.world = world;
    this.startMs = startMs;
    this.#socketPath = socketPath;
    this.#env = env;
  }

  /** One call of the Engine API, in the same connection as the one before: no client has to start. */
  async ask(method: string, path: string, body?: object): Promise<void> {
    const content = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) };
    const asked = request({ socketPath: this.#socketPath, agent: this.#agent, method, path, headers });
    asked.end(content);
    const [answer] = await once(asked, 'response');
    const said = await text(answer);
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${said}`);
  }

  /** How long such a call takes. */
  async timeCall(method: string, path: string, body?: object): Promise<number> {
    const started = performance.now();
    await this.ask(method, path, body);
    return performance.now() - started;
  }

  /** Runs a shell line that must succeed and returns how long it took. */
  async time(line: string): Promise<number> {
    const started = performance.now();
    await this.prepare(line);
    return performance.now() - started;
  }

  async prepare(line: string): Promise<string> {
    return runOrThrow(['sh', '-ec', line], {
      env: this.#env,
      cwd: this.world.path('work'),
      timeoutMs: 600_000,
    });
  }

  /**
   * Proportional memory (PSS) in MB of the engine: dockerd with its containerd, or gantryd with its helpers. Not the
   * containers' own monitors (shim, conmon), which are returned apart.
   */
  memory(): { engineMb: number; monitorsMb: number } {
    const monitors = /^(containerd-shim|conmon|docker-proxy)/;
    const engine = /^(dockerd|containerd$|node|gantryd|MainThread)/;
    let engineKb = 0;
    let monitorsKb = 0;
    for (const { name, directory } of processesSeenIn(this.world.proc)) {
      if (monitors.test(name)) monitorsKb += proportionalKb(directory);
      else if (engine.test(name)) engineKb += proportionalKb(directory);
    }
    return { engineMb: engineKb / 1024, monitorsMb: monitorsKb / 1024 };
  }

  stop(): Promise<void> {
    this.#agent.destroy();
    return this.world.stop();
  }
}

/** Proportional memory of a process, so that shared pages count once. */
function proportionalKb(directory: string): number {
  try {
    return Number(/^Pss:\s*(\d+)/m.exec(readFileSync(`${directory}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // it ended while we looked
  }
}
