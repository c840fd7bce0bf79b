import type {
  RuntimeDevice,
  RuntimeDeviceRule,
  RuntimeIdMapping,
  RuntimeMount,
  RuntimeNamespaceType,
  RuntimeProcess,
  RuntimeResources,
  RuntimeRlimit,
  RuntimeSpec,
  RuntimeThrottle,
} from '../oci/runtime-spec.ts';
import { EngineError } from '../stdx/errors.ts';
import { type CapabilityRequest, planCapabilities } from './capabilities.ts';
import {
  defaultDeviceRules,
  defaultMaskedPaths,
  defaultMounts,
  defaultReadonlyPaths,
  INIT_PATH,
} from './defaults.ts';
import type { HostFacts } from './host-facts.ts';
import { defaultSeccompProfile, planSeccomp, type SeccompProfile } from './seccomp.ts';

/** All that a container's config.json depends on, resolved: ids are numbers, sources are host paths. */
export interface SpecInput {
  id: string;
  /** The mounted root file system on the host. */
  rootfs: string;
  /** '' with the host's UTS namespace. */
  hostname: string;
  domainname?: string;
  process: ProcessInput;
  readonlyRootfs?: boolean;
  /** Binds, volumes, tmpfs, /etc/hosts ...: over and after the default mounts, which one at the same place replaces. */
  mounts: RuntimeMount[];
  /** Size of /dev/shm; null: none is mounted (`--ipc none`). */
  shmSizeBytes: number | null;
  namespaces: Namespaces;
  idMappings?: { uid: RuntimeIdMapping[]; gid: RuntimeIdMapping[] };
  resources: ResourceInput;
  devices?: { device: RuntimeDevice; permissions: string }[];
  /** As typed: `c 1:3 rwm`. */
  deviceCgroupRules?: string[];
  /** Path of the container's cgroup below every hierarchy's root: `/gantry/<id>`. */
  cgroupsPath: string;
  sysctls?: Record<string, string>;
  security: SecurityInput;
  privileged?: boolean;
  /** `shared` or `rslave`, when a bind's propagation needs it. */
  rootfsPropagation?: string;
  annotations?: Record<string, string>;
  /** Path on the host of the init program to run the process below. */
  init?: string;
}

export interface ProcessInput {
  args: string[];
  env: string[];
  cwd: string;
  uid: number;
  gid: number;
  additionalGids?: number[];
  umask?: number;
  tty: boolean;
  consoleSize?: { rows: number; cols: number };
  capabilities: CapabilityRequest;
  noNewPrivileges?: boolean;
  oomScoreAdj?: number;
  rlimits?: RuntimeRlimit[];
  apparmorProfile?: string;
}

export type NamespaceChoice = 'private' | 'host' | { path: string };

export type Namespaces = Record<'pid' | 'ipc' | 'uts' | 'network' | 'cgroup' | 'user', NamespaceChoice>;

/** Absent or 0: not limited, unless said. */
export interface ResourceInput {
  memoryBytes?: number;
  /** Memory and swap together; -1 unlimited. */
  memorySwapBytes?: number;
  memoryReservationBytes?: number;
  /** 0 counts. */
  memorySwappiness?: number;
  oomKillDisable?: boolean;
  cpuShares?: number;
  cpuPeriodUs?: number;
  cpuQuotaUs?: number;
  cpuRealtimePeriodUs?: number;
  cpuRealtimeRuntimeUs?: number;
  nanoCpus?: number;
  cpusetCpus?: string;
  cpusetMems?: string;
  /** <= 0: unlimited; only an update needs to say so. */
  pidsLimit?: number;
  blkioWeight?: number;
  blkioWeightDevices?: { major: number; minor: number; weight: number }[];
  deviceReadBps?: RuntimeThrottle[];
  deviceWriteBps?: RuntimeThrottle[];
  deviceReadIops?: RuntimeThrottle[];
  deviceWriteIops?: RuntimeThrottle[];
  /** cgroup v2 files and what to write there. */
  unified?: Record<string, string>;
}

export interface SecurityInput {
  seccomp: 'default' | 'unconfined' | SeccompProfile;
  /** undefined: Docker's; []: none. */
  maskedPaths?: string[];
  readonlyPaths?: string[];
  mountLabel?: string;
  /** undefined: as `privileged` says. */
  writableCgroups?: boolean;
}

/** The container's config.json, with Docker's defaults. Pure: what it needs of the host is in `host`. */
export function planSpec(input: SpecInput, host: HostFacts): RuntimeSpec {
  const process = planProcess(input.process, host);
  const privileged = input.privileged === true;
  if (input.init !== undefined) process.args = [INIT_PATH, '--', ...process.args];
  const spec: RuntimeSpec = {
    ociVersion: '1.0.2',
    process,
    root: { path: input.rootfs, readonly: input.readonlyRootfs === true },
    mounts: planMounts(input),
    linux: {
      namespaces: planNamespaces(input.namespaces),
      devices: (input.devices ?? []).map(({ device }) => device),
      cgroupsPath: input.cgroupsPath,
      resources: { ...planResources(input.resources, host), devices: planDeviceRules(input) },
      sysctl: planSysctls(input),
      maskedPaths: planPaths(privileged, input.security.maskedPaths, [
        ...defaultMaskedPaths,
        ...host.throttlePaths,
      ]),
      readonlyPaths: planPaths(privileged, input.security.readonlyPaths, defaultReadonlyPaths),
    },
  };
  if (input.namespaces.uts !== 'host' && input.hostname !== '') spec.hostname = input.hostname;
  if (input.annotations !== undefined && Object.keys(input.annotations).length > 0)
    spec.annotations = input.annotations;
  const { linux } = spec;
  if (input.idMappings !== undefined) {
    linux.uidMappings = input.idMappings.uid;
    linux.gidMappings = input.idMappings.gid;
  }
  if (input.rootfsPropagation !== undefined) linux.rootfsPropagation = input.rootfsPropagation;
  if (input.security.mountLabel !== undefined) linux.mountLabel = input.security.mountLabel;
  const seccomp = planSeccompOf(input, process.capabilities?.bounding ?? [], host);
  if (seccomp !== undefined) linux.seccomp = seccomp;
  return spec;
}

/** The process of a container, or of an exec in it. */
export function planProcess(input: ProcessInput, host: HostFacts): RuntimeProcess {
  const capabilities = planCapabilities(input.capabilities, host.capabilities);
  const process: RuntimeProcess = {
    terminal: input.tty,
    user: { uid: input.uid, gid: input.gid, additionalGids: input.additionalGids ?? [] },
    args: [...input.args],
    env: input.env,
    cwd: input.cwd === '' ? '/' : input.cwd,
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: input.noNewPrivileges === true,
  };
  if (input.umask !== undefined) process.user.umask = input.umask;
  // Only a terminal has a size, and 0 by 0 means that nobody knows it yet.
  if (input.tty && input.consoleSize !== undefined && input.consoleSize.rows > 0) {
    process.consoleSize = { height: input.consoleSize.rows, width: input.consoleSize.cols };
  }
  if (input.oomScoreAdj !== undefined && input.oomScoreAdj !== 0) process.oomScoreAdj = input.oomScoreAdj;
  if ((input.rlimits ?? []).length > 0) process.rlimits = input.rlimits!;
  // Docker, too, asks for a profile only where the kernel has AppArmor.
  if (host.apparmor && input.apparmorProfile) process.apparmorProfile = input.apparmorProfile;
  return process;
}

/** Limits in the OCI's words; also what `update` sends. */
export function planResources(input: ResourceInput, host: HostFacts): RuntimeResources {
  const resources: RuntimeResources = {};
  const memory = present({
    limit: positiveOrUnlimited(input.memoryBytes),
    reservation: positiveOrUnlimited(input.memoryReservationBytes),
    swap: host.limits.swap && input.memorySwapBytes !== 0 ? input.memorySwapBytes : undefined,
    // Both exist in cgroup v1 alone; Docker discards them on v2.
    swappiness: host.cgroupVersion === 1 ? input.memorySwappiness : undefined,
    disableOOMKiller: host.cgroupVersion === 1 && input.oomKillDisable === true ? true : undefined,
  });
  if (memory !== undefined) resources.memory = memory;
  const cpu = present({
    shares: positive(input.cpuShares),
    ...planCpuTime(input),
    realtimePeriod: positive(input.cpuRealtimePeriodUs),
    realtimeRuntime: positive(input.cpuRealtimeRuntimeUs),
    cpus: input.cpusetCpus || undefined,
    mems: input.cpusetMems || undefined,
  });
  if (cpu !== undefined) resources.cpu = cpu;
  const pidsLimit = positive(input.pidsLimit);
  if (pidsLimit !== undefined) resources.pids = { limit: pidsLimit };
  const blockIO = present({
    weight: positive(input.blkioWeight),
    weightDevice: filled(input.blkioWeightDevices),
    throttleReadBpsDevice: filled(input.deviceReadBps),
    throttleWriteBpsDevice: filled(input.deviceWriteBps),
    throttleReadIOPSDevice: filled(input.deviceReadIops),
    throttleWriteIOPSDevice: filled(input.deviceWriteIops),
  });
  if (blockIO !== undefined) resources.blockIO = blockIO;
  if (host.cgroupVersion === 2 && input.unified !== undefined) resources.unified = input.unified;
  return resources;
}

/** `c 1:3 rwm`; `*` stands for every number. @throws EngineError `invalid` in Docker's words. */
export function parseDeviceRule(text: string): RuntimeDeviceRule {
  const match = /^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$/.exec(text);
  if (match === null) throw new EngineError('invalid', `invalid device cgroup rule format: '${text}'`);
  // All of them: crun writes a number that is there to the kernel as it is, -1 too.
  const number = (digits: string) => (digits === '*' ? undefined : Number(digits));
  const [, type, major, minor, access] = match as unknown as [
    string,
    'a' | 'b' | 'c',
    string,
    string,
    string,
  ];
  return { allow: true, type, major: number(major), minor: number(minor), access };
}

/** --cpus is a quota in a period of 100 ms; an explicit period or quota wins. */
function planCpuTime(input: ResourceInput): { period?: number; quota?: number } {
  const periodUs = 100_000;
  const nano = input.nanoCpus ?? 0;
  return {
    period: input.cpuPeriodUs || (nano > 0 ? periodUs : undefined),
    quota: input.cpuQuotaUs || (nano > 0 ? Math.floor((nano * periodUs) / 1e9) : undefined),
  };
}

function planMounts(input: SpecInput): RuntimeMount[] {
  const given = new Set(input.mounts.map(mount => mount.destination));
  const writableCgroups = input.security.writableCgroups ?? input.privileged === true;
  const defaults = defaultMounts()
    .filter(mount => !given.has(mount.destination))
    // Whoever mounts his own /dev answers for all below it.
    .filter(mount => !(given.has('/dev') && mount.destination.startsWith('/dev/')))
    .filter(mount => mount.destination !== '/dev/shm' || input.shmSizeBytes !== null)
    .map(mount => {
      if (mount.destination === '/dev/shm') mount.options!.push(`size=${input.shmSizeBytes}`);
      if (mount.destination === '/sys' && input.privileged === true) return writable(mount);
      return mount.type === 'cgroup' && writableCgroups ? writable(mount) : mount;
    });
  const mounts = [...defaults, ...input.mounts];
  if (input.init !== undefined) {
    mounts.push({ destination: INIT_PATH, type: 'bind', source: input.init, options: ['bind', 'ro'] });
  }
  return mounts;
}

function writable(mount: RuntimeMount): RuntimeMount {
  return { ...mount, options: mount.options?.filter(option => option !== 'ro') ?? [] };
}

function planNamespaces(choices: Namespaces): RuntimeSpec['linux']['namespaces'] {
  const namespaces: RuntimeSpec['linux']['namespaces'] = [{ type: 'mount' }];
  const order: (keyof Namespaces & RuntimeNamespaceType)[] = [
    'network',
    'uts',
    'pid',
    'ipc',
    'cgroup',
    'user',
  ];
  for (const type of order) {
    const choice = choices[type];
    if (choice === 'private') namespaces.push({ type });
    else if (choice !== 'host') namespaces.push({ type, path: choice.path });
  }
  return namespaces;
}

function planDeviceRules(input: SpecInput): RuntimeDeviceRule[] {
  if (input.privileged === true) return [{ allow: true, access: 'rwm' }];
  return [
    ...defaultDeviceRules(),
    ...(input.devices ?? []).map(({ device, permissions }): RuntimeDeviceRule => {
      const { major, minor } = device;
      return { allow: true, type: device.type === 'b' ? 'b' : 'c', major, minor, access: permissions };
    }),
    ...(input.deviceCgroupRules ?? []).map(parseDeviceRule),
  ];
}

function planSysctls(input: SpecInput): Record<string, string> {
  const sysctls: Record<string, string> = {};
  // The spec has had a field for it since 1.1 only; this has the same effect everywhere.
  if (input.domainname) {
    if (input.namespaces.uts === 'host') {
      throw new EngineError('invalid', 'sysctl "kernel.domainname" is not in a separate kernel namespace');
    }
    sysctls['kernel.domainname'] = input.domainname;
  }
  if (input.namespaces.network === 'private') {
    // Ping without CAP_NET_RAW (not for ids of another user namespace), and ports below 1024 without being root.
    if (input.namespaces.user === 'host') sysctls['net.ipv4.ping_group_range'] = '0 2147483647';
    sysctls['net.ipv4.ip_unprivileged_port_start'] = '0';
  }
  return { ...sysctls, ...input.sysctls };
}

function planPaths(privileged: boolean, given: string[] | undefined, defaults: readonly string[]): string[] {
  return privileged ? [] : (given ?? [...defaults]);
}

function planSeccompOf(input: SpecInput, capabilities: readonly string[], host: HostFacts) {
  const { seccomp } = input.security;
  if (input.privileged === true || seccomp === 'unconfined') return undefined;
  const profile = seccomp === 'default' ? defaultSeccompProfile : seccomp;
  return planSeccomp(profile, { architecture: host.architecture, kernel: host.kernel, capabilities });
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}

/** -1, which only an update has, takes a limit away. */
function positiveOrUnlimited(value: number | undefined): number | undefined {
  return value === -1 ? -1 : positive(value);
}

function filled<T>(list: T[] | undefined): T[] | undefined {
  return list !== undefined && list.length > 0 ? list : undefined;
}

/** Without the members that are undefined; undefined when none is left. */
function present<T extends object>(value: T): T | undefined {
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as T);
}
