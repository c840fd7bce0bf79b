import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostSources } from '../../src/images/apt-sources.ts';
import { cached } from '../support/cache.ts';
import { ping } from '../support/daemon.ts';
import { type Outcome, type ProgramOptions, runOrThrow, runProgram } from '../support/run-program.ts';
import { childOf, World } from '../support/world.ts';
import type { BuildingSide } from './place.ts';

/**
 * dockerd 28 with its own BuildKit, and buildx, from Debian's unstable suite: what the recorded answers are recorded
 * from. Its root is a Debian of its own below a cached folder, entered by pivot_root inside a world:
 *
 *     /run/reference/root   overlay of the cached sid and a tmpfs: nothing is written into the cache
 *       /tmp/gantry-test-…  the world's folder, the same path inside and outside: sockets, contexts, data-root
 */
export class Reference implements BuildingSide {
  readonly world: World;
  readonly socket: string;
  readonly client = ['docker'];
  readonly #child: ChildProcess;
  #said = '';

  static async start(): Promise<Reference> {
    const world = await World.start('reference');
    try {
      return await Reference.startIn(world);
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  static async startIn(world: World): Promise<Reference> {
    const reference = new Reference(world, await referenceRoot());
    await reference.#answering();
    return reference;
  }

  private constructor(world: World, root: string) {
    this.world = world;
    this.socket = world.path('docker.sock');
    mkdirSync(world.path('home'), { recursive: true });
    const argv = world.inside([
      'unshare',
      '--mount',
      'sh',
      '-c',
      enterScript,
      'enter',
      root,
      world.directory,
    ]);
    const dockerd = [
      'dockerd',
      ...['--data-root', world.path('data'), '--exec-root', world.path('exec')],
      ...['-H', `unix://${this.socket}`, '--pidfile', world.path('daemon.pid')],
      ...['--cgroup-parent', world.cgroupParent],
    ];
    this.#child = spawn(argv[0]!, [...argv.slice(1), ...dockerd], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.on('data', chunk => {
        this.#said = (this.#said + chunk).slice(-10_000);
        appendFileSync(world.path('dockerd.log'), chunk);
      });
    }
  }

  /** A program of the reference's own Debian; `docker` there finds buildx. */
  run(argv: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
    const pid = String(childOf(this.#child.pid!));
    const enter = [
      'nsenter',
      '--target',
      pid,
      '--mount',
      '--net',
      '--pid',
      `--wdns=${options.cwd ?? '/'}`,
      '--',
    ];
    const env = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: this.world.path('home'),
      DOCKER_HOST: `unix://${this.socket}`,
      ...options.env,
    };
    return runProgram([...enter, ...argv], { ...options, cwd: undefined, env });
  }

  async stop(): Promise<void> {
    await this.world.stop();
  }

  async #answering(): Promise<void> {
    const deadline = Date.now() + 180_000;
    while ((await ping(this.socket)) !== 200) {
      if (this.#child.exitCode !== null || Date.now() > deadline)
        throw new Error(`the reference's dockerd does not answer:\n${this.#said}`);
      await sleep(100);
    }
  }
}

/** Debian's unstable suite with its docker.io, made once on this machine by mmdebstrap. */
function referenceRoot(): Promise<string> {
  return cached('docker-sid', async (target, scratch) => {
    const packages =
      'docker.io,docker-cli,mount,docker-buildx,iptables,xz-utils,ca-certificates,git,openssh-client';
    const mirror = (await hostSources()).find(source => /\/debian\/?$/.test(source.uri))?.uri;
    const validity = await runOrThrow([
      'apt-config',
      'dump',
      '--format=%f %v%n',
      'Acquire::Check-Valid-Until',
    ]);
    const options = validity.includes('false') ? ['--aptopt=Acquire::Check-Valid-Until "false"'] : [];
    await runOrThrow(
      [
        ...['mmdebstrap', '--variant=apt', '--mode=root', '--format=directory', `--include=${packages}`],
        ...['--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr', ...options],
        ...['sid', target, mirror ?? 'http://deb.debian.org/debian'],
      ],
      { timeoutMs: 1_200_000, env: { ...process.env, TMPDIR: scratch } },
    );
  });
}

const enterScript = `
set -e
root=$1 shared=$2
shift 2
mkdir -p /run/reference/upper /run/reference/work /run/reference/root
mount -t overlay -o "lowerdir=$root,upperdir=/run/reference/upper,workdir=/run/reference/work" overlay /run/reference/root
cd /run/reference/root
for name in proc sys dev; do mount --rbind "/$name" "$name"; done
mkdir -p ".$shared" old
mount --bind "$shared" ".$shared"
mount -t tmpfs tmpfs run
cp /etc/resolv.conf etc/resolv.conf
pivot_root . old
umount -l /old
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec "$@"
`;
