import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxArchive } from '../support/base-images.ts';
import { Daemon, type DaemonKind, repository } from '../support/daemon.ts';
import { DockerClient } from '../support/docker-client.ts';
import { startRegistry } from '../support/registry.ts';
import type { Outcome } from '../support/run-program.ts';
import { World } from '../support/world.ts';

/** GANTRY_E2E_DAEMON=dockerd runs the same tests against dockerd, which proves the tests. */
export const daemonKind = (process.env['GANTRY_E2E_DAEMON'] ?? 'gantryd') as DaemonKind;

export interface MachineOptions {
  registry?: boolean;
  /** Run inside the world before the daemon starts, as root, in `sh -ec`. */
  prepare?: string;
  daemonArguments?: string[];
}

/** To prepare a world for userns-remap: its own /etc for the daemon's account, and a way in for the containers' root. */
export const ownAccounts = `chmod 711 .
cp -a /etc /run/etc
mount --bind /run/etc /etc
sed -i /dockremap/d /etc/passwd /etc/group /etc/subuid /etc/subgid`;

/** A world with a daemon in it, the busybox image loaded, and the real docker client pointed at it. */
export class Machine {
  readonly daemon: Daemon;
  readonly docker: DockerClient;
  /** Ids of containers that exist or once existed here, to look for what they left. */
  readonly seenIds = new Set<string>();

  static async start(label: string, options: MachineOptions = {}): Promise<Machine> {
    const world = await World.start(label);
    try {
      if (options.prepare) {
        const prepared = await world.run(['sh', '-ec', options.prepare]);
        if (prepared.code !== 0) throw new Error(`preparing the machine: ${prepared.stderr}`);
      }
      const [daemon, archive] = await Promise.all([
        Daemon.start(world, daemonKind, options.daemonArguments),
        busyboxArchive(),
        options.registry ? startRegistry(world) : undefined,
      ]);
      const machine = new Machine(daemon);
      await machine.docker.must('load', '-i', archive);
      return machine;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  private constructor(daemon: Daemon) {
    this.daemon = daemon;
    this.docker = new DockerClient(daemon);
  }

  get world(): World {
    return this.daemon.world;
  }

  /** A line of shell with `docker` in it, in the machine's work folder. */
  shell(line: string, timeoutMs = 180_000): Promise<Outcome> {
    return this.docker.shell(line, { cwd: this.world.path('work'), timeoutMs });
  }

  /** As shell, but it must succeed; returns stdout without the last newline. */
  async must(line: string, timeoutMs = 180_000): Promise<string> {
    const outcome = await this.shell(line, timeoutMs);
    if (outcome.code !== 0) {
      throw new Error(
        `${line}\n${outcome.code === null ? 'timed out' : `exit code ${outcome.code}`}\n${outcome.stdout}${outcome.stderr}`,
      );
    }
    return outcome.stdout.trimEnd();
  }

  /** As must, with this repository's client and what it is told. */
  gantry(line: string): Promise<string> {
    return this.must(`${repository}/gantry ${line}`);
  }

  /** This repository's client must fail, with such a message. */
  async refused(line: string, message: RegExp): Promise<void> {
    const outcome = await this.shell(`${repository}/gantry ${line}`);
    assert.notEqual(outcome.code, 0, line);
    assert.match(outcome.stderr, message, line);
  }

  /** Fetches a page as somebody on this machine would; tries again for ten seconds while the server comes up. */
  async fetch(url: string, attempts = 100): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.world.run(['curl', '-sS', '--max-time', '3', url]);
      if (outcome.code === 0) return outcome.stdout.trimEnd();
      if (attempt >= attempts) throw new Error(`${url}: ${outcome.stderr}`);
      await sleep(100);
    }
  }

  /** Remembers the containers of this moment. */
  async noteIds(): Promise<void> {
    for (const id of (await this.must('docker ps -aq --no-trunc')).split('\n')) if (id) this.seenIds.add(id);
  }

  stop(): Promise<void> {
    return this.world.stop();
  }
}
