import { readFileSync } from 'node:fs';
import { busyboxArchive } from '../support/base-images.ts';
import { processesSeenIn } from '../support/cgroups.ts';
import { Daemon, type DaemonKind } from '../support/daemon.ts';
import { DockerClient } from '../support/docker-client.ts';
import { registryAddress, startRegistry } from '../support/registry.ts';
import { runOrThrow } from '../support/run-program.ts';
import { World } from '../support/world.ts';

/** One daemon being measured, in its own world, with busybox loaded and a registry of its own. */
export class Side {
  readonly kind: DaemonKind;
  readonly daemon: Daemon;
  readonly client: DockerClient;
  readonly startMs: number;

  static async start(kind: DaemonKind): Promise<Side> {
    const world = await World.start(`bench-${kind}`);
    try {
      const started = performance.now();
      const daemon = await Daemon.start(world, kind);
      const startMs = performance.now() - started;
      await startRegistry(world);
      const side = new Side(kind, daemon, startMs);
      await side.client.must('load', '-i', await busyboxArchive());
      return side;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  private constructor(kind: DaemonKind, daemon: Daemon, startMs: number) {
    this.kind = kind;
    this.daemon = daemon;
    this.startMs = startMs;
    this.client = new DockerClient(daemon, { REG: registryAddress, WORK: daemon.world.path('work') });
  }

  /** Runs a shell line that must succeed and returns how long it took. */
  async time(line: string): Promise<number> {
    const started = performance.now();
    await this.prepare(line);
    return performance.now() - started;
  }

  async prepare(line: string): Promise<string> {
    return runOrThrow(['sh', '-ec', line], {
      env: this.client.env,
      cwd: this.daemon.world.path('work'),
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
    for (const { name, directory } of processesSeenIn(this.daemon.world.proc)) {
      if (monitors.test(name)) monitorsKb += proportionalKb(directory);
      else if (engine.test(name)) engineKb += proportionalKb(directory);
    }
    return { engineMb: engineKb / 1024, monitorsMb: monitorsKb / 1024 };
  }

  stop(): Promise<void> {
    return this.daemon.world.stop();
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
