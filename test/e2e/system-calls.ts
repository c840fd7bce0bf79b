import { existsSync } from 'node:fs';
import type { Machine } from './machine.ts';

/** System call numbers; where the architectures differ, x86-64 first. */
const numbers: Readonly<Record<string, readonly [x64: number, arm64: number]>> = {
  socket: [41, 198],
  clone: [56, 220],
  syslog: [103, 116],
  personality: [135, 92],
  pivot_root: [155, 41],
  acct: [163, 89],
  mount: [165, 40],
  swapon: [167, 224],
  sethostname: [170, 161],
  init_module: [175, 105],
  quotactl: [179, 60],
  lookup_dcookie: [212, 18],
  mbind: [237, 235],
  get_mempolicy: [239, 236],
  kexec_load: [246, 104],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  unshare: [272, 97],
  move_pages: [279, 239],
  perf_event_open: [298, 241],
  fanotify_init: [300, 262],
  open_by_handle_at: [304, 265],
  setns: [308, 268],
  kcmp: [312, 272],
  bpf: [321, 280],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  open_tree: [428, 428],
  fsopen: [430, 430],
  clone3: [435, 435],
  pidfd_getfd: [438, 438],
  process_madvise: [440, 440],
  mount_setattr: [442, 442],
};

/** Each call in a process of its own: what it gains or breaks is gone with it. */
const program = `$| = 1;
for my $call (@ARGV) {
  my ($name, $number, @given) = split /,/, $call;
  my $child = fork();
  if ($child == 0) {
    my @args = map { /^-?[0-9]+$/ ? $_ + 0 : $_ } @given;
    $! = 0;
    my $result = syscall($number, @args);
    exit 0 if $result == 0 && $name =~ /^clone/;
    print "$name=" . ($result == -1 ? $! + 0 : 0) . "\\n";
    kill 9, $$;
  }
  waitpid $child, 0;
}`;

export interface SystemCall {
  name: string;
  /** Numbers as they are, everything else as the address of its text. */
  args: readonly (number | string)[];
}

/**
 * Makes system calls in a container, with the host's own perl: its syscall() passes anything on to the kernel.
 * @param flags of `docker run`. @returns errno of each, in their order; 0 when it succeeded.
 */
export async function systemCallsIn(
  machine: Machine,
  flags: string,
  calls: readonly SystemCall[],
): Promise<number[]> {
  const column = process.arch === 'arm64' ? 1 : 0;
  const words = calls.map(({ name, args }) => [name, numbers[name]![column], ...args].join(','));
  const libraries = ['/lib', '/lib64'].filter(path => existsSync(path)).map(path => `-v ${path}:${path}:ro`);
  const outcome = await machine.docker.run([
    ...`run --rm ${flags} -v /usr/bin/perl:/usr/bin/perl:ro ${libraries.join(' ')} busybox`
      .split(' ')
      .filter(Boolean),
    ...['perl', '-e', program, ...words],
  ]);
  const lines = outcome.stdout.trim().split('\n');
  if (lines.length !== calls.length) throw new Error(`${outcome.stdout}\n${outcome.stderr}`);
  return lines.map((line, index) => {
    const [name, errno] = line.split('=');
    if (name !== calls[index]!.name) throw new Error(`answers are mixed up: ${lines.join(' ')}`);
    return Number(errno);
  });
}
