import { release } from 'node:os';
import type { RuntimeSeccomp, RuntimeSyscall } from '../oci/runtime-spec.ts';
import { EngineError, messageOf } from '../stdx/errors.ts';

/**
 * A seccomp profile as `--security-opt seccomp=FILE` holds it: the OCI form, plus rules that count only on some
 * architectures, kernels, or with some capabilities (docs.docker.com/engine/security/seccomp).
 */
export interface SeccompProfile extends Omit<RuntimeSeccomp, 'syscalls'> {
  archMap?: { architecture: string; subArchitectures?: string[] | null }[] | null;
  syscalls?: SeccompRule[] | null;
}

export interface SeccompRule extends Omit<RuntimeSyscall, 'names'> {
  names?: string[];
  /** The older way to say one name. */
  name?: string;
  comment?: string;
  includes?: SeccompCondition | null;
  excludes?: SeccompCondition | null;
}

export interface SeccompCondition {
  /** All of them must be granted (includes); one is enough (excludes). */
  caps?: string[];
  /** Go's names: `amd64`, `arm64`. */
  arches?: string[];
  /** `4.8` */
  minKernel?: string;
}

export interface SeccompFacts {
  /** Go's name of the machine's architecture. */
  architecture: string;
  /** `6.1` */
  kernel: { major: number; minor: number };
  /** The container's bounding set. */
  capabilities: readonly string[];
}

/** The profile's rules that count for this container, in the OCI form. undefined when the profile is empty. */
export function planSeccomp(profile: SeccompProfile, facts: SeccompFacts): RuntimeSeccomp | undefined {
  const { archMap, syscalls, ...rest } = profile;
  if (!rest.defaultAction && (syscalls ?? []).length === 0) return undefined;
  if ((rest.architectures ?? []).length > 0 && (archMap ?? []).length > 0) {
    throw new EngineError(
      'invalid',
      "'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or 'archMap'",
    );
  }
  const planned: RuntimeSeccomp = { ...rest, syscalls: [] };
  const native = (archMap ?? []).find(
    entry => entry.architecture === seccompArchitectures[facts.architecture],
  );
  if (native !== undefined) planned.architectures = [native.architecture, ...(native.subArchitectures ?? [])];
  for (const rule of syscalls ?? []) {
    if (counts(rule, facts)) planned.syscalls!.push(plainRule(rule));
  }
  return planned;
}

/** @throws EngineError `invalid` when the text is no profile. */
export function parseSeccompProfile(text: string): SeccompProfile {
  try {
    const profile: unknown = JSON.parse(text);
    if (typeof profile === 'object' && profile !== null && !Array.isArray(profile))
      return profile as SeccompProfile;
    throw new Error(`cannot unmarshal ${Array.isArray(profile) ? 'array' : typeof profile} into a profile`);
  } catch (error) {
    throw new EngineError('invalid', `Decoding seccomp profile failed: ${messageOf(error)}`);
  }
}

/** `6.18.44-rc1` -> 6, 18 */
export function parseKernel(text: string = release()): { major: number; minor: number } {
  const match = /^(\d+)\.(\d+)/.exec(text);
  if (match === null) throw new EngineError('invalid', `invalid kernel version: ${JSON.stringify(text)}`);
  return { major: Number(match[1]), minor: Number(match[2]) };
}

const seccompArchitectures: Readonly<Record<string, string>> = {
  amd64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
  s390x: 'SCMP_ARCH_S390X',
  riscv64: 'SCMP_ARCH_RISCV64',
  loong64: 'SCMP_ARCH_LOONGARCH64',
};

function counts(rule: SeccompRule, facts: SeccompFacts): boolean {
  const { includes, excludes } = rule;
  const granted = (name: string) => facts.capabilities.includes(name);
  if (excludes?.arches?.includes(facts.architecture) === true) return false;
  if (excludes?.caps?.some(granted) === true) return false;
  if (excludes?.minKernel !== undefined && kernelAtLeast(facts, excludes.minKernel)) return false;
  if ((includes?.arches?.length ?? 0) > 0 && !includes!.arches!.includes(facts.architecture)) return false;
  if (includes?.caps?.every(granted) === false) return false;
  return includes?.minKernel === undefined || kernelAtLeast(facts, includes.minKernel);
}

function kernelAtLeast({ kernel }: SeccompFacts, wanted: string): boolean {
  const { major, minor } = parseKernel(wanted);
  return kernel.major > major || (kernel.major === major && kernel.minor >= minor);
}

function plainRule(rule: SeccompRule): RuntimeSyscall {
  const { name, names, comment: _comment, includes: _includes, excludes: _excludes, ...rest } = rule;
  if (name !== undefined && name !== '' && (names ?? []).length > 0) {
    throw new EngineError(
      'invalid',
      "'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'",
    );
  }
  return { names: name !== undefined && name !== '' ? [name] : (names ?? []), ...rest };
}

const ALLOW = 'SCMP_ACT_ALLOW';
const ERRNO = 'SCMP_ACT_ERRNO';
const EPERM = 1;
const ENOSYS = 38;

/** Every flag of clone(2) that makes a namespace, but for time (which clone3 alone has). */
const NAMESPACE_FLAGS = 0x7e020000;

function allow(
  names: string,
  conditions: Pick<SeccompRule, 'includes' | 'excludes' | 'args'> = {},
): SeccompRule {
  return { names: names.trim().split(/\s+/), action: ALLOW, ...conditions };
}

function allowWhen(
  names: string,
  index: number,
  op: string,
  value: number,
  more: Partial<SeccompRule> = {},
): SeccompRule {
  // A masked comparison tests `argument & value == valueTwo`, here zero.
  const valueTwo = op === 'SCMP_CMP_MASKED_EQ' ? { valueTwo: 0 } : {};
  return { names: [names], action: ALLOW, args: [{ index, value, ...valueTwo, op }], ...more };
}

const withCapability = (name: string) => ({ includes: { caps: [name] } });
const onArchitectures = (...arches: string[]) => ({ includes: { arches } });

/** Allowed for every container. */
const always = `
  accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32
  clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
  clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
  eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate
  fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
  flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
  ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat getcpu getcwd
  getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer
  getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid
  getresuid32 getrlimit get_robust_list getrusage getsid getsockname getsockopt get_thread_area gettid
  gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
  inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents io_pgetevents_time64 ioprio_get
  ioprio_set io_setup io_submit ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self
  lchown lchown32 lgetxattr link linkat listen listmount listxattr listxattrat llistxattr _llseek
  lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret
  mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify
  mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal
  msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat
  _newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free
  pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6
  pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg
  recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2
  restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
  rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity
  sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler
  sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
  sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send
  sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
  setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid
  setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area
  set_tid_address setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack
  signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64
  statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
  timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
  timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64
  ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice
  wait4 waitid waitpid write writev
`;

/** Allowed with CAP_SYS_ADMIN: what mounts, makes namespaces or loads programs into the kernel. */
const administration = `
  bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
  lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl
  quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare
`;

/**
 * Docker's default profile (moby/profiles, seccomp/default.json): deny what is not listed, with EPERM. Sockets of
 * family 38 (AF_ALG) and 40 (AF_VSOCK), and making user namespaces without CAP_SYS_ADMIN, are denied by arguments;
 * clone3, whose arguments no filter can see, answers ENOSYS so that libc falls back to clone.
 */
export const defaultSeccompProfile: SeccompProfile = {
  defaultAction: ERRNO,
  defaultErrnoRet: EPERM,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
    { architecture: 'SCMP_ARCH_S390X', subArchitectures: ['SCMP_ARCH_S390'] },
    { architecture: 'SCMP_ARCH_RISCV64' },
    { architecture: 'SCMP_ARCH_LOONGARCH64' },
  ],
  syscalls: [
    allow(always),
    allow('process_vm_readv process_vm_writev ptrace', { includes: { minKernel: '4.8' } }),
    allowWhen('socket', 0, 'SCMP_CMP_LT', 38),
    allowWhen('socket', 0, 'SCMP_CMP_EQ', 39),
    allowWhen('socket', 0, 'SCMP_CMP_GT', 40),
    allowWhen('personality', 0, 'SCMP_CMP_EQ', 0),
    allowWhen('personality', 0, 'SCMP_CMP_EQ', 8),
    allowWhen('personality', 0, 'SCMP_CMP_EQ', 0x20000),
    allowWhen('personality', 0, 'SCMP_CMP_EQ', 0x20008),
    allowWhen('personality', 0, 'SCMP_CMP_EQ', 0xffffffff),
    allow('sync_file_range2 swapcontext', onArchitectures('ppc64le')),
    allow(
      'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls',
      onArchitectures('arm', 'arm64'),
    ),
    allow('arch_prctl', onArchitectures('amd64', 'x32')),
    allow('modify_ldt', onArchitectures('amd64', 'x32', 'x86')),
    allow('s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr', onArchitectures('s390', 's390x')),
    allow('riscv_flush_icache', onArchitectures('riscv64')),
    allow('open_by_handle_at', withCapability('CAP_DAC_READ_SEARCH')),
    allow(administration, withCapability('CAP_SYS_ADMIN')),
    allowWhen('clone', 0, 'SCMP_CMP_MASKED_EQ', NAMESPACE_FLAGS, {
      excludes: { caps: ['CAP_SYS_ADMIN'], arches: ['s390', 's390x'] },
    }),
    allowWhen('clone', 1, 'SCMP_CMP_MASKED_EQ', NAMESPACE_FLAGS, {
      includes: { arches: ['s390', 's390x'] },
      excludes: { caps: ['CAP_SYS_ADMIN'] },
    }),
    { names: ['clone3'], action: ERRNO, errnoRet: ENOSYS, excludes: { caps: ['CAP_SYS_ADMIN'] } },
    allow('reboot', withCapability('CAP_SYS_BOOT')),
    allow('chroot', withCapability('CAP_SYS_CHROOT')),
    allow('delete_module init_module finit_module', withCapability('CAP_SYS_MODULE')),
    allow('acct', withCapability('CAP_SYS_PACCT')),
    allow(
      'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
      withCapability('CAP_SYS_PTRACE'),
    ),
    allow('iopl ioperm', withCapability('CAP_SYS_RAWIO')),
    allow('settimeofday stime clock_settime clock_settime64', withCapability('CAP_SYS_TIME')),
    allow('vhangup', withCapability('CAP_SYS_TTY_CONFIG')),
    allow('get_mempolicy mbind set_mempolicy set_mempolicy_home_node', withCapability('CAP_SYS_NICE')),
    allow('syslog', withCapability('CAP_SYSLOG')),
    allow('bpf', withCapability('CAP_BPF')),
    allow('perf_event_open', withCapability('CAP_PERFMON')),
  ],
};
