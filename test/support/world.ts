import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { containerCgroups, removeCgroups } from './cgroups.ts';
import { type Outcome, type ProgramOptions, runProgram } from './run-program.ts';

/** The addresses a world calls "the machine's own". */
export const hostAddress = '10.77.0.2';
export const hostAddress6 = 'fd77::2';

/**
 * A small machine of its own for one daemon: private network, mount and process namespaces over the real
 * disk. Killing its init (pid 1 inside) ends every process in it, and with them every mount and link, so
 * a test that dies half-way leaves nothing behind but a folder and empty cgroups.
 *
 *     directory/        a fresh folder below the system's temporary folder, the same path inside
 *       docker.sock     clients connect from outside: a socket file needs no namespace
 *       data/ exec/     the daemon's roots
 *     /run              a private tmpfs, because dockerd insists on /run/docker
 *     /etc/resolv.conf  names nobody: every look-up is refused at once, not after a time-out
 *     host0             10.77.0.2/24 and fd77::2/64, "the machine's own address"
 */
export class World {
  readonly directory: string;
  /** Pid of the world's init as seen from outside; what nsenter wants. */
  readonly pid: number;
  readonly cgroupParent: string;
  readonly #unshare: ChildProcess;

  static async start(label: string): Promise<World> {
    const directory = mkdtempSync(join(tmpdir(), `gantry-test-${label}-`));
    for (const name of ['data', 'exec', 'work']) mkdirSync(join(directory, name));
    writeFileSync(join(directory, 'resolv.conf'), `nameserver ${hostAddress}\n`);
    const child = spawn(
      'setpriv',
      [
        // A test that is killed takes its world along.
        '--pdeathsig',
        'KILL',
        'unshare',
        '--net',
        '--mount',
        '--pid',
        '--fork',
        '--kill-child',
        '--mount-proc',
        '--propagation',
        'private',
        'sh',
        '-c',
        initScript,
        'init',
        directory,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const pid = await initPidOf(child);
    return new World(directory, pid, child);
  }

  private constructor(directory: string, pid: number, unshare: ChildProcess) {
    this.directory = directory;
    this.pid = pid;
    this.cgroupParent = `/gantry-test-${pid}`;
    this.#unshare = unshare;
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** This world's own /proc, readable from outside: its pids are those the daemon sees. */
  get proc(): string {
    return `/proc/${this.pid}/root/proc`;
  }

  /** The argument vector that runs a program inside this world. */
  inside(argv: readonly string[], cwd = this.directory): string[] {
    return [
      'nsenter',
      '--target',
      String(this.pid),
      '--net',
      '--mount',
      '--pid',
      `--wd=${cwd}`,
      '--',
      ...argv,
    ];
  }

  run(argv: readonly string[], options?: ProgramOptions): Promise<Outcome> {
    return runProgram(this.inside(argv), options);
  }

  /** Ends everything inside and removes the folder. */
  async stop(): Promise<void> {
    const ended = new Promise(resolve => this.#unshare.once('exit', resolve));
    const cgroups = [this.cgroupParent];
    if (this.#unshare.exitCode === null && this.#unshare.signalCode === null) {
      cgroups.push(...containerCgroups(this.proc));
      process.kill(this.pid, 'SIGKILL');
      await ended;
    }
    for (const name of cgroups) await removeCgroups(name);
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

// dash as pid 1 reaps whatever is orphaned to it while it waits for its own child.
const initScript = `
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/lock
mount --bind "$1/resolv.conf" /etc/resolv.conf
# Once a runtime has mounted this hierarchy somewhere, dockerd has no statistics where it is not mounted.
if [ -d /sys/fs/cgroup/memory ] && ! grep -q ' - cgroup .*hugetlb' /proc/self/mountinfo; then
  mkdir -p /sys/fs/cgroup/hugetlb && mount -n -t cgroup -o hugetlb cgroup /sys/fs/cgroup/hugetlb || :
fi
ip link set lo up
ip link add host0 type veth peer name host1
ip address add ${hostAddress}/24 dev host0
ip -6 address add ${hostAddress6}/64 dev host0 nodad
ip link set host1 up
ip link set host0 up
ip route add default via 10.77.0.1
echo ready
while :; do sleep 1000; done
`;

async function initPidOf(child: ChildProcess): Promise<number> {
  let said = '';
  child.stdout!.on('data', chunk => {
    said += chunk;
  });
  child.stderr!.on('data', chunk => {
    said += chunk;
  });
  const deadline = Date.now() + 120_000;
  while (!said.includes('ready')) {
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`a private world did not start: ${said}`);
    await sleep(10);
  }
  return childOf(child.pid!)!;
}

/** The first child of a process: `unshare --fork` and `nsenter --pid` put one process in between. */
export function childOf(pid: number): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return children[0] ? Number(children[0]) : undefined;
}
