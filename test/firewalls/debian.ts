import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostSources } from '../../src/images/apt-sources.ts';
import { cached } from '../support/cache.ts';
import { type Outcome, runOrThrow, runProgram } from '../support/run-program.ts';

/**
 * A Debian of its own with ufw and firewalld, in the network namespace of the test: what they do to the kernel, they
 * do there. Nothing is installed on this machine, and nothing is written into the cached tree.
 */
export class Debian {
  readonly #init: ChildProcess;

  static async start(): Promise<Debian> {
    const root = await cachedRoot();
    const argv = ['--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'private'];
    const init = spawn('setpriv', [...argv, 'sh', '-c', enterScript, 'enter', root], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // Before it says so its root is still this machine's.
    const said = await Promise.race([once(init.stdout!, 'data'), once(init, 'exit')]);
    if (String(said[0]) !== 'ready\n') throw new Error(`the Debian for firewalls ended: ${said[0]}`);
    return new Debian(init);
  }

  private constructor(init: ChildProcess) {
    this.#init = init;
  }

  run(...argv: string[]): Promise<Outcome> {
    return runProgram([...this.#enter, ...argv], { env: environment, timeoutMs: 120_000 });
  }

  async runOrThrow(...argv: string[]): Promise<string> {
    return await runOrThrow([...this.#enter, ...argv], { env: environment, timeoutMs: 120_000 });
  }

  /** A program that stays. */
  spawn(...argv: string[]): ChildProcess {
    const [program = '', ...args] = [...this.#enter, ...argv];
    return spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], { stdio: 'ignore', env: environment });
  }

  async stop(): Promise<void> {
    const ended = once(this.#init, 'exit');
    this.#init.kill('SIGKILL');
    await ended;
  }

  get #enter(): string[] {
    return ['nsenter', '--target', String(this.#init.pid), '--mount', '--root', '--wd=/', '--'];
  }
}

const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/run/bus',
};

const enterScript = `
set -e
mount -t tmpfs tmpfs /run
mkdir /run/upper /run/work /run/root
mount -t overlay -o "lowerdir=$1,upperdir=/run/upper,workdir=/run/work" overlay /run/root
cd /run/root
for name in proc sys dev; do mount --rbind "/$name" "$name"; done
mount -t tmpfs tmpfs run
exec chroot . sh -c 'echo ready; exec sleep infinity'
`;

function cachedRoot(): Promise<string> {
  return cached('firewalls', async (target, scratch) => {
    const packages = 'firewalld,ufw,dbus-daemon,iptables,procps';
    const mirror = (await hostSources()).find(source => /\/debian\/?$/.test(source.uri))?.uri;
    await runOrThrow(
      [
        ...['mmdebstrap', '--variant=minbase', '--mode=root', '--format=directory', `--include=${packages}`],
        ...['--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr', 'bookworm', target],
        mirror ?? 'http://deb.debian.org/debian',
      ],
      { timeoutMs: 1_200_000, env: { ...process.env, TMPDIR: scratch } },
    );
  });
}
