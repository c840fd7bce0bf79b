import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { cached } from './cache.ts';

export interface VirtualMachineOptions {
  /** What pid 1 runs when everything is mounted; the machine ends with it. */
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Each line the command writes to standard output, while it runs. */
  onLine: (line: string) => void;
  timeoutMs: number;
}

/**
 * A second kernel under this machine's files: Debian's own, booted by qemu, where cgroup v2 has all controllers. KVM
 * does it where it can, otherwise qemu computes every instruction itself.
 *
 *     /               this machine's root, read-only by 9p, below a tmpfs that takes what is written
 *     /tmp            /dev/vda, 2 GB of ext4: a block device whose use can be limited
 *     swap            /dev/vdb, 256 MB
 *     /sys/fs/cgroup  cgroup2, nothing else
 *     ttyS0, ttyS1    the kernel's messages; the command's standard output
 *
 * @throws with the kernel's last messages when the machine did not come to the command's end.
 */
export async function runInVirtualMachine(options: VirtualMachineOptions): Promise<void> {
  const kernel = await kernelDirectory();
  const scratch = mkdtempSync(join(tmpdir(), 'gantry-test-machine-'));
  try {
    makeInitramfs(scratch, kernel, options);
    makeDisks(scratch);
    const messages = join(scratch, 'console');
    const machine = spawn('qemu-system-x86_64', qemuArguments(scratch, kernel, messages), {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await untilEnd(machine, messages, options);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** `vmlinuz` and `lib/modules/<version>/`: of Debian's kernel only what such a machine can use. */
function kernelDirectory(): Promise<string> {
  return cached('kernel-1', async (target, scratch) => {
    const run = (program: string, ...args: string[]) =>
      execFileSync(program, args, { cwd: scratch, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
    const depends = run('apt-cache', 'depends', '--important', 'linux-image-amd64');
    const packageName = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
    if (packageName === undefined) throw new Error(`apt knows no linux-image-amd64: ${depends}`);
    run('apt-get', 'download', '-q', packageName);
    const [archive] = globSync('*.deb', { cwd: scratch });
    run('dpkg-deb', '--extract', archive!, 'all');
    const [modules] = globSync('all/{,usr/}lib/modules/*', { cwd: scratch });
    const version = basename(modules!);
    for (const part of keptModules) {
      for (const found of globSync(part, { cwd: join(scratch, modules!) })) {
        const to = join(target, 'lib/modules', version, found);
        mkdirSync(dirname(to), { recursive: true });
        cpSync(join(scratch, modules!, found), to, { recursive: true });
      }
    }
    cpSync(join(scratch, `all/boot/vmlinuz-${version}`), join(target, 'vmlinuz'));
    run('depmod', '--basedir', target, version);
  });
}

const keptModules = [
  'modules.{order,builtin,builtin.modinfo}',
  'kernel/{arch,block,crypto,fs,lib,mm,net}',
  'kernel/drivers/{block,char,virtio}',
  'kernel/drivers/net/*.ko*',
  'kernel/drivers/net/{vxlan,ipvlan}',
];

/** The first root: a busybox, the modules it takes to see the real one, and the script that changes over to it. */
function makeInitramfs(scratch: string, kernel: string, { command, env }: VirtualMachineOptions): void {
  const root = join(scratch, 'initramfs');
  for (const name of ['bin', 'proc', 'sys', 'dev', 'lower', 'over', 'root', 'modules']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  cpSync('/bin/busybox', join(root, 'bin/busybox'));
  const [modules] = globSync('lib/modules/*', { cwd: kernel });
  const version = basename(modules!);
  const paths = ['virtio_pci', 'virtio_blk', '9p', '9pnet_virtio', 'overlay', 'ext4'].flatMap(name =>
    execFileSync('modprobe', ['--dirname', kernel, '--set-version', version, '--show-depends', name])
      .toString()
      .split('\n')
      .flatMap(line => /^insmod (\S+)/.exec(line)?.[1] ?? []),
  );
  const unique = [...new Set(paths)];
  for (const path of unique) cpSync(path, join(root, 'modules', basename(path)));
  const script = initScript
    .replace('@MODULES@', unique.map(path => basename(path)).join(' '))
    .replaceAll('@KERNEL@', join(kernel, 'lib/modules'))
    .replaceAll('@VERSION@', version)
    .replace('@CWD@', quoted(process.cwd()))
    .replace(
      '@ENV@',
      Object.entries(env)
        .map(([name, value]) => quoted(`${name}=${value}`))
        .join(' '),
    )
    .replace('@COMMAND@', command.map(quoted).join(' '));
  writeFileSync(join(root, 'init'), script, { mode: 0o755 });
  execFileSync('sh', ['-c', 'find . | busybox cpio -o -H newc > ../initramfs.cpio'], {
    cwd: root,
    stdio: 'pipe',
  });
}

const initScript = `#!/bin/busybox sh
bb=/bin/busybox
end() { echo "init: $1"; $bb poweroff -f; }
$bb mount -t proc proc /proc && $bb mount -t sysfs sysfs /sys && $bb mount -t devtmpfs dev /dev || end 'no /proc'
for module in @MODULES@; do $bb insmod /modules/$module || end "module $module"; done
$bb mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000 host /lower || end 'no files'
$bb mount -t tmpfs over /over && $bb mkdir /over/upper /over/work
$bb mount -t overlay -o lowerdir=/lower,upperdir=/over/upper,workdir=/over/work root /root || end 'no root'
for name in proc sys dev; do $bb mount --move /$name /root/$name; done
$bb mkdir -p /root/dev/pts /root/dev/shm /root/dev/mqueue /root/lib/modules
$bb mount -t devpts -o gid=5,mode=620 devpts /root/dev/pts
$bb mount -t tmpfs shm /root/dev/shm
$bb mount -t tmpfs run /root/run && $bb mkdir /root/run/lock
$bb mount -t ext4 /root/dev/vda /root/tmp && $bb chmod 1777 /root/tmp || end 'no disk'
$bb mount -t cgroup2 cgroup2 /root/sys/fs/cgroup || end 'no cgroup2'
$bb ln -s @KERNEL@/@VERSION@ /root/lib/modules/@VERSION@
$bb swapon /root/dev/vdb
$bb hostname machine
$bb ip link set lo up
$bb cat > /root/run/command <<'END'
mkdir /sys/fs/cgroup/tests
echo $$ > /sys/fs/cgroup/tests/cgroup.procs
cd @CWD@
stty raw < /dev/ttyS1
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root @ENV@ @COMMAND@ > /dev/ttyS1
echo "command ended with $?"
sync
busybox poweroff -f
END
exec $bb switch_root /root /bin/sh /run/command
`;

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Sparse files: they take no room on this disk until they are written. */
function makeDisks(scratch: string): void {
  execFileSync('truncate', ['--size', '2G', join(scratch, 'disk')]);
  execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', join(scratch, 'disk')]);
  execFileSync('truncate', ['--size', '256M', join(scratch, 'swap')]);
  execFileSync('busybox', ['mkswap', join(scratch, 'swap')], { stdio: 'pipe' });
}

function qemuArguments(scratch: string, kernel: string, messages: string): string[] {
  const drive = (name: string) => ['-drive', `file=${join(scratch, name)},if=virtio,format=raw,cache=unsafe`];
  return [
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '2048'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', join(kernel, 'vmlinuz'), '-initrd', join(scratch, 'initramfs.cpio')],
    ...['-append', 'console=ttyS0 panic=-1 quiet'],
    ...['-virtfs', 'local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap'],
    ...drive('disk'),
    ...drive('swap'),
    ...['-serial', `file:${messages}`, '-serial', 'stdio'],
  ];
}

async function untilEnd(
  machine: ChildProcess,
  messages: string,
  { onLine, timeoutMs }: VirtualMachineOptions,
): Promise<void> {
  const tail = () =>
    existsSync(messages) ? readFileSync(messages, 'utf8').trimEnd().split('\n').slice(-40).join('\n') : '';
  let rest = '';
  let complaints = '';
  machine.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) onLine(line);
  });
  machine.stderr!.setEncoding('utf8').on('data', (chunk: string) => (complaints += chunk));
  const timer = setTimeout(() => machine.kill('SIGKILL'), timeoutMs);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    machine.once('error', reject);
    machine.once('close', (exitCode, exitSignal) => resolve([exitCode, exitSignal]));
  }).finally(() => clearTimeout(timer));
  if (code === 0 && tail().includes('command ended with ')) return;
  throw new Error(`the virtual machine ended early (${signal ?? code}): ${complaints}\n${tail()}`);
}
