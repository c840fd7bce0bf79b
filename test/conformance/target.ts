import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { busyboxArchive } from '../support/base-images.ts';
import { Daemon, type DaemonKind } from '../support/daemon.ts';
import { DockerClient } from '../support/docker-client.ts';
import { registryAddress, startRegistry } from '../support/registry.ts';
import { hostAddress, World } from '../support/world.ts';
import type { Answer } from './compare.ts';
import { Normaliser } from './normalise.ts';
import { detailed, nameOf, type Scenario } from './scenario.ts';

/** A daemon to ask, in a world of its own, with the busybox image loaded and a registry beside it. */
export class Target {
  readonly daemon: Daemon;
  readonly client: DockerClient;

  static async start(kind: DaemonKind): Promise<Target> {
    const world = await World.start(kind);
    try {
      const [daemon, archive] = await Promise.all([
        Daemon.start(world, kind),
        busyboxArchive(),
        startRegistry(world),
      ]);
      const target = new Target(daemon);
      await target.client.must('load', '-i', archive);
      return target;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  private constructor(daemon: Daemon) {
    this.daemon = daemon;
    // The API version both sides speak: otherwise the client itself behaves differently for each.
    this.client = new DockerClient(daemon, { DOCKER_API_VERSION: '1.41' });
  }

  /** Plays a scenario and returns one normalised answer for each step. */
  async play(scenario: Scenario): Promise<Answer[]> {
    const directory = mkdtempSync(this.daemon.world.path('work', 'scenario-'));
    const normaliser = new Normaliser(directory, this.daemon.world.directory);
    const preamble = this.#preamble(scenario);
    const answers: Answer[] = [];
    try {
      for (const [path, content] of Object.entries(scenario.files ?? {})) {
        mkdirSync(dirname(join(directory, path)), { recursive: true });
        writeFileSync(join(directory, path), content);
      }
      for (const step of scenario.steps.map(detailed)) {
        const timeoutMs = step.timeoutMs ?? 120_000;
        const outcome = await this.client.shell(`${preamble}\n${step.run}`, { cwd: directory, timeoutMs });
        if (outcome.timedOut) outcome.stderr += `\n(timed out after ${timeoutMs} ms)`;
        answers.push({
          code: outcome.code,
          stdout: normaliser.text(outcome.stdout, step.replace),
          stderr: normaliser.text(outcome.stderr, step.replace),
        });
      }
    } finally {
      await this.#clean(nameOf(scenario));
      rmSync(directory, { recursive: true, force: true });
    }
    return answers;
  }

  async stop(): Promise<void> {
    await this.daemon.world.stop();
  }

  #preamble(scenario: Scenario): string {
    const { pid } = this.daemon.world;
    return `N=${nameOf(scenario)} REG=${registryAddress} HOST=${hostAddress} SOCK=${this.daemon.socket}
api() { m=$1; p=$2; shift 2; curl -sS --max-time 60 --unix-socket "$SOCK" -X "$m" -w '\\n%{http_code}\\n' "$@" "http://docker$p"; }
net() { nsenter --target ${pid} --net -- "$@"; }
daemon() { nsenter --target ${pid} --net --mount --pid -- "$@"; }`;
  }

  async #clean(name: string): Promise<void> {
    await this.client.shell(
      `ids=$(docker ps -aq --filter name='^/?${name}(-|$)'); [ -z "$ids" ] || docker rm -fv $ids
       for n in $(docker network ls -q --filter name='^${name}(-|$)'); do docker network rm $n; done
       for v in $(docker volume ls -q --filter name='^${name}(-|$)'); do docker volume rm -f $v; done`,
    );
  }
}

export function dockerdInstalled(): boolean {
  return ['/usr/sbin/dockerd', '/usr/bin/dockerd', '/usr/local/bin/dockerd'].some(path => existsSync(path));
}
