import { posix } from 'node:path';
import type { IdMappings } from '../../oci/id-mappings.ts';
import type { RuntimeMount, RuntimeThrottle } from '../../oci/runtime-spec.ts';
import { allHostDevices, type DeviceGrant, deviceNumber, grantDevices } from '../../runtime/devices.ts';
import type { NamespaceChoice, ProcessInput, ResourceInput, SpecInput } from '../../runtime/spec.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineSettings } from '../context.ts';
import type { HostConfig, Resources, ThrottleDevice } from './config.ts';
import type { ContainerRecord, ResolvedMount } from './container.ts';
import type { ContainerFiles } from './directory.ts';
import { variableName } from './merge.ts';
import { parseSecurityOptions, type SecurityDefaults } from './security-options.ts';
import type { ResolvedUser } from './user.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What start has found out and the record does not say. */
export interface StartFacts {
  rootfs: string;
  user: ResolvedUser;
  files: ContainerFiles;
  settings: EngineSettings;
  /** Variables that tell of linked containers. */
  linkEnvironment: readonly string[];
  /** `/proc/<pid>/ns/<kind>` of another container, for modes that share its namespaces. */
  namespaceOf(containerId: string, kind: 'net' | 'ipc' | 'pid'): string;
  /** Host path of another container's shared memory is in its namespace; its files are ours then. */
  sharedFiles?: ContainerFiles;
  mappings?: IdMappings;
  userNamespace: NamespaceChoice;
  /** Sources of volumes as a user namespace sees them, by target. */
  volumeViews: ReadonlyMap<string, string>;
  /** Why the OCI runtime cannot make a mount read-only with all below it; undefined when it can. */
  recursiveReadOnlyObstacle?: string | undefined;
  /** Permission bits of a directory of the root; undefined when there is none. */
  directoryMode(path: string): number | undefined;
  /** Of a mount's source. */
  isDirectory(path: string): boolean;
  /** `ro`, `nosuid`, `nodev`, `noexec`: what the mount that holds a source does not let do. */
  mountRestrictions(path: string): string[];
  secretMounts: readonly RuntimeMount[];
  /** On the host: what is bound to /dev/shm; undefined for one of its own. */
  sharedMemory?: string;
}

/** Translates a container into the runtime room's words. Reads nothing but the device nodes the container asks for. */
export function specInputOf(record: ContainerRecord, facts: StartFacts): SpecInput {
  const { hostConfig, config } = record;
  const security = parseSecurityOptions(hostConfig.securityOpt, facts.settings);
  // First, as it is in Docker: of several containers that do not run its network's is the one that is named.
  const network = sharedOr(hostConfig.networkMode, 'net', facts);
  return {
    id: record.id,
    rootfs: facts.rootfs,
    hostname: hostConfig.utsMode === 'host' ? '' : config.hostname,
    domainname: config.domainname || undefined,
    process: {
      ...processInputOf(record, facts.user, facts.settings, { cwd: config.workingDir, tty: config.tty }),
      args: [record.path, ...record.args],
      env: environmentOf(record, facts.user.home, facts.linkEnvironment),
      oomScoreAdj: hostConfig.oomScoreAdj,
      consoleSize: hostConfig.consoleSize && {
        rows: hostConfig.consoleSize.height,
        cols: hostConfig.consoleSize.width,
      },
      rlimits: rlimitsOf(hostConfig, facts.settings),
    },
    readonlyRootfs: hostConfig.readonlyRootfs,
    mounts: mountsOf(record, facts),
    shmSizeBytes: hostConfig.ipcMode === 'none' ? null : hostConfig.shmSizeBytes,
    namespaces: {
      pid: sharedOr(hostConfig.pidMode, 'pid', facts),
      ipc: sharedOr(hostConfig.ipcMode, 'ipc', facts),
      uts: hostConfig.utsMode === 'host' ? 'host' : 'private',
      network,
      cgroup: hostConfig.cgroupnsMode === 'host' ? 'host' : 'private',
      user: facts.userNamespace,
    },
    idMappings: facts.mappings,
    resources: resourcesOf(hostConfig),
    devices: devicesOf(hostConfig),
    deviceCgroupRules: hostConfig.deviceCgroupRules,
    cgroupsPath: posix.join(
      '/',
      hostConfig.cgroupParent || facts.settings.cgroupParent || 'gantry',
      record.id,
    ),
    sysctls: hostConfig.sysctls,
    security: {
      seccomp: security.seccomp,
      maskedPaths: hostConfig.maskedPaths,
      readonlyPaths: hostConfig.readonlyPaths,
      writableCgroups: security.writableCgroups,
    },
    privileged: hostConfig.privileged,
    rootfsPropagation: rootfsPropagationOf(record.mounts),
    annotations: hostConfig.annotations,
    init: wantsInit(hostConfig, facts.settings) ? initPathOf(facts.settings) : undefined,
  };
}

/** What the first process and every exec have in common. */
export function processInputOf(
  record: ContainerRecord,
  user: ResolvedUser,
  defaults: SecurityDefaults,
  options: { cwd: string; tty: boolean; privileged?: boolean },
): Omit<ProcessInput, 'args' | 'env'> {
  const { hostConfig } = record;
  const security = parseSecurityOptions(hostConfig.securityOpt, defaults);
  return {
    cwd: options.cwd || '/',
    uid: user.uid,
    gid: user.gid,
    additionalGids: user.additionalGids,
    tty: options.tty,
    capabilities: {
      add: hostConfig.capAdd,
      drop: hostConfig.capDrop,
      privileged: hostConfig.privileged || (options.privileged ?? false),
    },
    noNewPrivileges: security.noNewPrivileges,
    apparmorProfile: security.apparmorProfile,
  };
}

/** Docker's order: PATH, HOSTNAME, TERM, links, what was asked for, and HOME when nobody set it. */
export function environmentOf(
  record: ContainerRecord,
  home: string,
  linkEnvironment: readonly string[],
): string[] {
  const { config } = record;
  // A bare name means: not this one.
  const asked = new Set(config.env.map(variableName));
  const environment: string[] = [];
  if (!asked.has('PATH')) environment.push(`PATH=${defaultPath}`);
  const path = config.env.find(entry => entry.startsWith('PATH='));
  if (path !== undefined) environment.push(path);
  if (!asked.has('HOSTNAME')) environment.push(`HOSTNAME=${config.hostname}`);
  if (config.tty && !asked.has('TERM')) environment.push('TERM=xterm');
  environment.push(...linkEnvironment.filter(entry => !asked.has(variableName(entry))));
  environment.push(...config.env.filter(entry => entry !== path && entry.includes('=')));
  if (!asked.has('HOME')) environment.push(`HOME=${home}`);
  return environment;
}

/** Limits in the runtime room's words; `update` uses it too. */
export function resourcesOf(resources: Resources): ResourceInput {
  return {
    memoryBytes: resources.memoryBytes,
    memorySwapBytes: resources.memorySwapBytes,
    memoryReservationBytes: resources.memoryReservationBytes,
    memorySwappiness: resources.memorySwappiness,
    oomKillDisable: resources.oomKillDisable,
    cpuShares: resources.cpuShares,
    cpuPeriodUs: resources.cpuPeriodUs,
    cpuQuotaUs: resources.cpuQuotaUs,
    cpuRealtimePeriodUs: resources.cpuRealtimePeriodUs,
    cpuRealtimeRuntimeUs: resources.cpuRealtimeRuntimeUs,
    nanoCpus: resources.nanoCpus,
    cpusetCpus: resources.cpusetCpus,
    cpusetMems: resources.cpusetMems,
    pidsLimit: resources.pidsLimit,
    blkioWeight: resources.blkioWeight,
    blkioWeightDevices: resources.blkioWeightDevices.map(({ path, rate }) => ({
      ...deviceNumber(path),
      weight: rate,
    })),
    deviceReadBps: resources.deviceReadBps.map(throttle),
    deviceWriteBps: resources.deviceWriteBps.map(throttle),
    deviceReadIops: resources.deviceReadIops.map(throttle),
    deviceWriteIops: resources.deviceWriteIops.map(throttle),
  };
}

function throttle({ path, rate }: ThrottleDevice): RuntimeThrottle {
  return { ...deviceNumber(path), rate };
}

function sharedOr(mode: string, kind: 'net' | 'ipc' | 'pid', facts: StartFacts): NamespaceChoice {
  if (mode === 'host') return 'host';
  if (!mode.startsWith('container:')) return 'private';
  return { path: facts.namespaceOf(mode.slice('container:'.length), kind) };
}

function rlimitsOf(hostConfig: HostConfig, settings: EngineSettings): ProcessInput['rlimits'] {
  const limits = new Map(
    [...settings.defaultUlimits, ...hostConfig.ulimits].map(limit => [limit.name, limit]),
  );
  return [...limits.values()].map(({ name, soft, hard }) => ({
    type: `RLIMIT_${name.toUpperCase()}`,
    soft,
    hard,
  }));
}

function mountsOf(record: ContainerRecord, facts: StartFacts): RuntimeMount[] {
  const taken = new Set([
    ...record.mounts.map(mount => mount.target),
    ...facts.secretMounts.map(mount => mount.destination),
  ]);
  const files = facts.sharedFiles ?? facts.files;
  const own: RuntimeMount[] = [
    ['/etc/resolv.conf', files.resolvConf],
    ['/etc/hostname', files.hostname],
    ['/etc/hosts', files.hosts],
  ]
    .filter(([target]) => !taken.has(target!))
    .map(([destination, source]) => ({
      destination: destination!,
      source: source!,
      type: 'bind',
      options: ['rbind', 'rprivate', ...(record.hostConfig.readonlyRootfs ? ['ro'] : [])],
    }));
  if (facts.sharedMemory !== undefined && !taken.has('/dev/shm')) {
    const options = ['rbind', 'rprivate'];
    own.push({ destination: '/dev/shm', source: facts.sharedMemory, type: 'bind', options });
  }
  // A volume at /etc goes below the files in it.
  const mounts = record.mounts.map(mount =>
    mount.type === 'tmpfs'
      ? tmpfsMount(mount, record.mounts, facts)
      : runtimeMount({ ...mount, source: facts.volumeViews.get(mount.target) ?? mount.source }, facts),
  );
  return [...own, ...mounts, ...facts.secretMounts].sort(
    (a, b) => depthOf(a.destination) - depthOf(b.destination),
  );
}

function depthOf(path: string): number {
  return path.split('/').length;
}

/** As runc does, and crun does not: one over a directory of the image takes its mode. Its owner is root. */
function tmpfsMount(
  { target, tmpfsOptions = [] }: ResolvedMount,
  mounts: readonly ResolvedMount[],
  { directoryMode }: StartFacts,
): RuntimeMount {
  // What a volume has there is not looked at.
  const isCovered = mounts.some(other => target.startsWith(`${other.target}/`));
  const isAsked = tmpfsOptions.some(option => option.startsWith('mode='));
  const mode = isCovered || isAsked ? undefined : directoryMode(target);
  const options = mode === undefined ? tmpfsOptions : [...tmpfsOptions, `mode=${mode.toString(8)}`];
  return { destination: target, source: 'tmpfs', type: 'tmpfs', options };
}

function runtimeMount(mount: ResolvedMount, facts: StartFacts): RuntimeMount {
  const propagation = mount.propagation || 'rprivate';
  // crun 1.8 takes the `r` of `rprivate` for that of `rbind`; of one mount alone both say the same.
  const options = mount.nonRecursive ? ['bind', propagation.replace(/^r/, '')] : ['rbind', propagation];
  return {
    destination: mount.target,
    source: mount.source,
    type: 'bind',
    // crun 1.8 gives a bind mount what is asked for and nothing else; runc leaves it as its source is.
    options: [
      ...new Set([...options, ...readOnlyOptions(mount, facts), ...facts.mountRestrictions(mount.source)]),
    ],
  };
}

/** As in Docker since 25: what is mounted below is read-only, too, where kernel and runtime can do that. */
function readOnlyOptions(
  { readWrite, nonRecursive, submounts, source }: ResolvedMount,
  { recursiveReadOnlyObstacle: obstacle, isDirectory }: StartFacts,
): string[] {
  if (readWrite) return [];
  if (submounts === 'readOnly' && obstacle !== undefined) throw new EngineError('invalid', obstacle);
  if (submounts === 'writable' || nonRecursive === true || obstacle !== undefined) return ['ro'];
  // crun 1.8 takes what is to be read-only with all below it for a directory.
  return isDirectory(source) ? ['ro', 'rro'] : ['ro'];
}

/** A mount that shares events with the host needs a root that lets them through. */
function rootfsPropagationOf(mounts: ResolvedMount[]): string | undefined {
  if (mounts.some(mount => /^r?shared$/.test(mount.propagation))) return 'shared';
  if (mounts.some(mount => /^r?slave$/.test(mount.propagation))) return 'rslave';
  return undefined;
}

/** There is nothing for it to do among the processes of others. */
function wantsInit({ init, pidMode }: HostConfig, settings: EngineSettings): boolean {
  return (init ?? settings.init) && pidMode === '';
}

function initPathOf(settings: EngineSettings): string {
  if (settings.initPath !== undefined) return settings.initPath;
  throw new EngineError('unavailable', 'the host has no init program for --init: install the package tini');
}

function devicesOf(hostConfig: HostConfig): DeviceGrant[] {
  const asked = hostConfig.devices.flatMap(({ pathOnHost, pathInContainer, cgroupPermissions }) =>
    grantDevices(pathOnHost, pathInContainer, cgroupPermissions || 'rwm'),
  );
  if (!hostConfig.privileged) return asked;
  const taken = new Set(asked.map(({ device }) => device.path));
  return [...allHostDevices().filter(({ device }) => !taken.has(device.path)), ...asked];
}
