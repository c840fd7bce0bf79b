/** One thing a host needs, or had better have. */
export interface Finding {
  name: string;
  /** `missing`: containers cannot run; `warning`: something will not work; `ok`. */
  state: 'ok' | 'warning' | 'missing';
  /** What was seen. */
  evidence: string;
  /** The command that mends it; only when something is wrong. */
  remedy?: string;
}

/** What was read from the host; undefined: it is not there or could not be read. */
export interface HostFacts {
  kernelRelease: string;
  filesystems: string;
  cgroupMounts: { type: string; path: string; options: string }[];
  namespaces: string[];
  programs: Record<string, { path: string; version: string } | undefined>;
  libraries: Record<string, string | undefined>;
  nodeVersion: string;
  ipForward: string | undefined;
  uid: number;
  freeBytes: number;
  freeInodesShare: number;
  dataRoot: string;
  socket: { path: string; answers: boolean; why: string };
  inotifyInstances: number;
  inotifyWatches: number;
  openFiles: number;
}

/** Everything there is to say about a host, most basic first. Pure: the same facts always give the same findings. */
export function diagnose(facts: HostFacts): Finding[] {
  return [
    checkKernel(facts),
    checkRoot(facts),
    checkOverlay(facts),
    checkCgroups(facts),
    checkHugetlb(facts),
    checkNamespaces(facts),
    checkProgram(facts, 'conmon', 'missing'),
    checkRuntime(facts),
    checkLibrary(facts, 'libnftables', 'libnftables1'),
    checkProgram(facts, 'mmdebstrap', 'warning'),
    checkForwarding(facts),
    checkDisk(facts),
    checkNode(facts),
    checkLimits(facts),
    checkSocket(facts),
  ];
}

/** fsopen(2) with `lowerdir+` and id-mapped mounts came with later kernels; 5.10 is what Debian 11 had. */
const oldestKernel = [5, 10] as const;

function checkKernel({ kernelRelease }: HostFacts): Finding {
  const [major = 0, minor = 0] = kernelRelease.split('.').map(part => Number.parseInt(part, 10));
  const tooOld = major < oldestKernel[0] || (major === oldestKernel[0] && minor < oldestKernel[1]);
  if (!tooOld) return ok('kernel', kernelRelease);
  return missing(
    'kernel',
    kernelRelease,
    `run a kernel from ${oldestKernel.join('.')} on: apt-get install linux-image-amd64`,
  );
}

function checkRoot({ uid }: HostFacts): Finding {
  return uid === 0 ? ok('root', 'uid 0') : missing('root', `uid ${uid}`, 'start the daemon as root');
}

function checkOverlay({ filesystems }: HostFacts): Finding {
  if (/\boverlay$/m.test(filesystems)) return ok('overlayfs', '/proc/filesystems lists overlay');
  return missing('overlayfs', '/proc/filesystems does not list overlay', 'modprobe overlay');
}

function checkCgroups({ cgroupMounts }: HostFacts): Finding {
  const unified = cgroupMounts.find(({ type, path }) => type === 'cgroup2' && path === '/sys/fs/cgroup');
  if (unified !== undefined) return ok('cgroups', 'version 2, at /sys/fs/cgroup');
  const controllers = cgroupMounts.filter(({ type }) => type === 'cgroup');
  if (controllers.length === 0)
    return missing('cgroups', 'no cgroup file system is mounted', 'mount -t cgroup2 cgroup2 /sys/fs/cgroup');
  const has = (name: string) => controllers.some(({ options }) => options.split(',').includes(name));
  const absent = ['memory', 'cpu', 'pids', 'devices', 'freezer'].filter(name => !has(name));
  if (absent.length === 0) return ok('cgroups', `version 1, ${controllers.length} hierarchies`);
  return missing(
    'cgroups',
    `version 1 without ${absent.join(', ')}`,
    `mkdir /sys/fs/cgroup/${absent[0]} && mount -t cgroup -o ${absent[0]} cgroup /sys/fs/cgroup/${absent[0]}`,
  );
}

/** crun looks for every controller the kernel has, also for those nobody mounted; hugetlb is the one that is left out. */
function checkHugetlb({ cgroupMounts }: HostFacts): Finding {
  const hybrid = cgroupMounts.some(({ type }) => type === 'cgroup');
  if (!hybrid) return ok('cgroup hugetlb', 'not needed with cgroup version 2');
  if (cgroupMounts.some(({ options }) => options.split(',').includes('hugetlb')))
    return ok('cgroup hugetlb', 'mounted');
  return {
    name: 'cgroup hugetlb',
    state: 'warning',
    evidence: 'not mounted: crun cannot run until it is; the daemon mounts it when it starts',
    remedy: 'mkdir -p /sys/fs/cgroup/hugetlb && mount -t cgroup -o hugetlb cgroup /sys/fs/cgroup/hugetlb',
  };
}

function checkNamespaces({ namespaces }: HostFacts): Finding {
  const needed = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts'];
  const absent = needed.filter(name => !namespaces.includes(name));
  if (absent.length > 0)
    return missing(
      'namespaces',
      `the kernel lacks ${absent.join(', ')}`,
      'run a kernel with CONFIG_NAMESPACES',
    );
  if (namespaces.includes('user')) return ok('namespaces', `${needed.join(', ')}, user`);
  return {
    name: 'namespaces',
    state: 'warning',
    evidence: 'no user namespaces: userns-remap will not work',
    remedy: 'run a kernel with CONFIG_USER_NS',
  };
}

function checkProgram({ programs }: HostFacts, name: string, severity: 'missing' | 'warning'): Finding {
  const found = programs[name];
  if (found !== undefined) return ok(name, `${found.version} at ${found.path}`);
  return { name, state: severity, evidence: 'not found', remedy: `apt-get install ${name}` };
}

function checkRuntime({ programs }: HostFacts): Finding {
  const found = ['crun', 'runc'].flatMap(name =>
    programs[name] === undefined ? [] : [`${name} ${programs[name].version}`],
  );
  if (found.length > 0) return ok('OCI runtime', found.join(', '));
  return missing('OCI runtime', 'neither crun nor runc was found', 'apt-get install crun');
}

function checkLibrary({ libraries }: HostFacts, name: string, debianPackage: string): Finding {
  const path = libraries[name];
  return path === undefined ? missing(name, 'not found', `apt-get install ${debianPackage}`) : ok(name, path);
}

function checkForwarding({ ipForward }: HostFacts): Finding {
  if (ipForward === '1') return ok('IPv4 forwarding', 'net.ipv4.ip_forward = 1');
  return {
    name: 'IPv4 forwarding',
    state: 'warning',
    evidence: `net.ipv4.ip_forward = ${ipForward ?? 'unknown'}; the daemon turns it on when it starts`,
    remedy: 'sysctl -w net.ipv4.ip_forward=1',
  };
}

const littleSpaceBytes = 2 * 1024 ** 3;

function checkDisk({ freeBytes, freeInodesShare, dataRoot }: HostFacts): Finding {
  const evidence = `${(freeBytes / 1024 ** 3).toFixed(1)} GiB and ${Math.round(freeInodesShare * 100)} % of inodes free for ${dataRoot}`;
  if (freeBytes >= littleSpaceBytes && freeInodesShare > 0.05) return ok('disk space', evidence);
  return { name: 'disk space', state: 'warning', evidence, remedy: 'gantry system prune' };
}

function checkNode({ nodeVersion }: HostFacts): Finding {
  if (Number.parseInt(nodeVersion.slice(1), 10) >= 26) return ok('Node', nodeVersion);
  return missing('Node', nodeVersion, 'gantry setup');
}

function checkLimits({ inotifyInstances, inotifyWatches, openFiles }: HostFacts): Finding {
  const evidence = `inotify ${inotifyInstances} instances, ${inotifyWatches} watches; ${openFiles} open files`;
  if (inotifyInstances >= 128 && inotifyWatches >= 8192 && openFiles >= 65536) return ok('limits', evidence);
  const remedy =
    openFiles < 65536
      ? 'ulimit -n 1048576 before the daemon is started (LimitNOFILE= in its unit)'
      : 'sysctl -w fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288';
  return { name: 'limits', state: 'warning', evidence, remedy };
}

function checkSocket({ socket }: HostFacts): Finding {
  if (socket.answers) return ok('daemon', `answers at ${socket.path}`);
  return { name: 'daemon', state: 'warning', evidence: socket.why, remedy: 'gantry daemon &' };
}

function ok(name: string, evidence: string): Finding {
  return { name, state: 'ok', evidence };
}

function missing(name: string, evidence: string, remedy: string): Finding {
  return { name, state: 'missing', evidence, remedy };
}
