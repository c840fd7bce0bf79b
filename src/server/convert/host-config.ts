import type { HostConfig as WireHostConfig, Schedule as WireSchedule } from '../../api/containers.ts';
import type {
  HealthFailureAction,
  HostConfig,
  Resources,
  RestartPolicyName,
  ScheduleConfig,
} from '../../engine/containers/config.ts';
import { EngineError } from '../../stdx/errors.ts';
import { mountFromWire, mountToWire } from './mounts.ts';
import { portKey } from './ports.ts';
import type { hostConfig, updateRequest } from './shapes.ts';

export type HostConfigBody = ReturnType<typeof hostConfig.read>;
export type UpdateBody = ReturnType<typeof updateRequest.read>;

/**
 * Fields of Docker's that the engine has nothing for. Their zero values, which clients send as a matter of course,
 * are let through.
 */
const unsupported: { field: keyof HostConfigBody; harmless?: readonly unknown[] }[] = [
  { field: 'CpuCount' },
  { field: 'CpuPercent' },
  { field: 'IOMaximumIOps' },
  { field: 'IOMaximumBandwidth' },
  { field: 'KernelMemoryTCP' },
  { field: 'StorageOpt' },
  { field: 'Capabilities' },
  { field: 'Cgroup' },
  { field: 'Isolation', harmless: ['default'] },
];

const restartPolicies: readonly string[] = ['no', 'always', 'unless-stopped', 'on-failure'];

/** @throws EngineError `invalid`, `notImplemented` naming the field */
export function hostConfigFromWire(body: HostConfigBody): HostConfig {
  refuseUnsupported(body);
  return {
    ...resourcesFromWire(body),
    binds: body.Binds ?? [],
    mounts: (body.Mounts ?? []).map(mountFromWire),
    secrets: secretsFromWire(body.Secrets),
    tmpfs: body.Tmpfs ?? {},
    volumesFrom: body.VolumesFrom ?? [],
    networkMode: body.NetworkMode ?? '',
    portBindings: portBindingsFromWire(body.PortBindings ?? {}),
    publishAllPorts: body.PublishAllPorts ?? false,
    restartPolicy: restartPolicyFromWire(body.RestartPolicy ?? {}),
    healthOnFailure: healthOnFailureFromWire(body.HealthOnFailure),
    schedule: body.Schedule?.Cron ? scheduleFromWire(body.Schedule) : undefined,
    autoRemove: body.AutoRemove ?? false,
    volumeDriver: body.VolumeDriver ?? '',
    capAdd: body.CapAdd ?? [],
    capDrop: body.CapDrop ?? [],
    cgroupnsMode: body.CgroupnsMode ?? '',
    dns: body.Dns ?? [],
    dnsOptions: body.DnsOptions ?? [],
    dnsSearch: body.DnsSearch ?? [],
    extraHosts: body.ExtraHosts ?? [],
    groupAdd: body.GroupAdd ?? [],
    ipcMode: body.IpcMode ?? '',
    pidMode: body.PidMode ?? '',
    utsMode: body.UTSMode ?? '',
    usernsMode: body.UsernsMode ?? '',
    links: body.Links ?? [],
    oomScoreAdj: body.OomScoreAdj ?? 0,
    privileged: body.Privileged ?? false,
    readonlyRootfs: body.ReadonlyRootfs ?? false,
    securityOpt: body.SecurityOpt ?? [],
    shmSizeBytes: shmSize(body.ShmSize ?? 0),
    sysctls: body.Sysctls ?? {},
    runtime: body.Runtime ?? '',
    init: body.Init,
    logConfig: { type: body.LogConfig?.Type ?? '', config: body.LogConfig?.Config ?? {} },
    maskedPaths: body.MaskedPaths,
    readonlyPaths: body.ReadonlyPaths,
    containerIdFile: body.ContainerIDFile ?? '',
    consoleSize: consoleSizeFromWire(body.ConsoleSize),
    annotations: body.Annotations ?? {},
    isolation: body.Isolation || undefined,
  };
}

/** Only what the caller gave: zero means unchanged, as in Docker. @throws EngineError `invalid`, `notImplemented` */
export function updateFromWire(body: UpdateBody): Partial<HostConfig> {
  refuseUnsupported(body);
  const given = Object.entries(resourcesFromWire(body)).filter(([, value]) => !isZero(value));
  const changes: Partial<HostConfig> = Object.fromEntries(given);
  // Both mean "no limit" here: at creation they mean that none was given.
  if (body.PidsLimit !== undefined && body.PidsLimit <= 0) changes.pidsLimit = 0;
  const { RestartPolicy } = body;
  if (body.HealthOnFailure) changes.healthOnFailure = healthOnFailureFromWire(body.HealthOnFailure);
  // Without times it takes away the one there is.
  if (body.Schedule) changes.schedule = scheduleFromWire(body.Schedule);
  if (RestartPolicy?.Name) changes.restartPolicy = restartPolicyFromWire(RestartPolicy);
  return changes;
}

export function hostConfigToWire(config: HostConfig): WireHostConfig {
  return {
    Binds: orNull(config.binds),
    ContainerIDFile: config.containerIdFile,
    LogConfig: { Type: config.logConfig.type, Config: config.logConfig.config },
    NetworkMode: config.networkMode,
    PortBindings: portBindingsToWire(config.portBindings),
    RestartPolicy: {
      Name: config.restartPolicy.name,
      MaximumRetryCount: config.restartPolicy.maximumRetryCount,
    },
    ...(config.healthOnFailure === undefined ? {} : { HealthOnFailure: config.healthOnFailure }),
    ...(config.schedule === undefined ? {} : { Schedule: scheduleToWire(config.schedule) }),
    AutoRemove: config.autoRemove,
    VolumeDriver: config.volumeDriver,
    VolumesFrom: orNull(config.volumesFrom),
    ConsoleSize: [config.consoleSize?.height ?? 0, config.consoleSize?.width ?? 0],
    ...(isZero(config.annotations) ? {} : { Annotations: config.annotations }),
    CapAdd: orNull(config.capAdd),
    CapDrop: orNull(config.capDrop),
    CgroupnsMode: config.cgroupnsMode,
    Dns: config.dns,
    DnsOptions: config.dnsOptions,
    DnsSearch: config.dnsSearch,
    ExtraHosts: orNull(config.extraHosts),
    GroupAdd: orNull(config.groupAdd),
    IpcMode: config.ipcMode,
    Cgroup: '',
    Links: orNull(config.links),
    OomScoreAdj: config.oomScoreAdj,
    PidMode: config.pidMode,
    Privileged: config.privileged,
    PublishAllPorts: config.publishAllPorts,
    ReadonlyRootfs: config.readonlyRootfs,
    SecurityOpt: orNull(config.securityOpt),
    ...(isZero(config.tmpfs) ? {} : { Tmpfs: config.tmpfs }),
    UTSMode: config.utsMode,
    UsernsMode: config.usernsMode,
    ShmSize: config.shmSizeBytes,
    ...(isZero(config.sysctls) ? {} : { Sysctls: config.sysctls }),
    Runtime: config.runtime,
    Isolation: config.isolation ?? '',
    ...resourcesToWire(config),
    ...(config.mounts.length === 0 ? {} : { Mounts: config.mounts.map(mountToWire) }),
    ...secretsToWire(config.secrets),
    MaskedPaths: config.maskedPaths ?? null,
    ReadonlyPaths: config.readonlyPaths ?? null,
    ...(config.init === undefined ? {} : { Init: config.init }),
  };
}

function resourcesFromWire(body: UpdateBody): Resources {
  return {
    memoryBytes: body.Memory ?? 0,
    memorySwapBytes: body.MemorySwap ?? 0,
    memoryReservationBytes: body.MemoryReservation ?? 0,
    // -1 is what old clients send for "not given".
    memorySwappiness: body.MemorySwappiness === -1 ? undefined : body.MemorySwappiness,
    oomKillDisable: body.OomKillDisable ?? false,
    kernelMemoryBytes: body.KernelMemory || undefined,
    cpuShares: body.CpuShares ?? 0,
    nanoCpus: body.NanoCpus ?? 0,
    cpuPeriodUs: body.CpuPeriod ?? 0,
    cpuQuotaUs: body.CpuQuota ?? 0,
    cpuRealtimePeriodUs: body.CpuRealtimePeriod ?? 0,
    cpuRealtimeRuntimeUs: body.CpuRealtimeRuntime ?? 0,
    cpusetCpus: body.CpusetCpus ?? '',
    cpusetMems: body.CpusetMems ?? '',
    // 0 and -1 mean unset, too.
    pidsLimit: body.PidsLimit !== undefined && body.PidsLimit > 0 ? body.PidsLimit : undefined,
    blkioWeight: body.BlkioWeight ?? 0,
    blkioWeightDevices: throttles(
      body.BlkioWeightDevice?.map(({ Path, Weight }) => ({ Path, Rate: Weight })),
    ),
    deviceReadBps: throttles(body.BlkioDeviceReadBps),
    deviceWriteBps: throttles(body.BlkioDeviceWriteBps),
    deviceReadIops: throttles(body.BlkioDeviceReadIOps),
    deviceWriteIops: throttles(body.BlkioDeviceWriteIOps),
    devices: (body.Devices ?? []).map(device => ({
      pathOnHost: device.PathOnHost ?? '',
      pathInContainer: device.PathInContainer ?? '',
      cgroupPermissions: device.CgroupPermissions ?? '',
    })),
    deviceCgroupRules: body.DeviceCgroupRules ?? [],
    ulimits: (body.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
      name: Name ?? '',
      soft: Soft ?? 0,
      hard: Hard ?? 0,
    })),
    cgroupParent: body.CgroupParent ?? '',
    networkBandwidth: bandwidthFromWire(body.GantryNetworkBandwidth),
  };
}

function resourcesToWire(resources: Resources) {
  return {
    CpuShares: resources.cpuShares,
    Memory: resources.memoryBytes,
    NanoCpus: resources.nanoCpus,
    CgroupParent: resources.cgroupParent,
    BlkioWeight: resources.blkioWeight,
    BlkioWeightDevice: resources.blkioWeightDevices.map(({ path, rate }) => ({ Path: path, Weight: rate })),
    BlkioDeviceReadBps: throttlesToWire(resources.deviceReadBps),
    BlkioDeviceWriteBps: throttlesToWire(resources.deviceWriteBps),
    BlkioDeviceReadIOps: throttlesToWire(resources.deviceReadIops),
    BlkioDeviceWriteIOps: throttlesToWire(resources.deviceWriteIops),
    CpuPeriod: resources.cpuPeriodUs,
    CpuQuota: resources.cpuQuotaUs,
    CpuRealtimePeriod: resources.cpuRealtimePeriodUs,
    CpuRealtimeRuntime: resources.cpuRealtimeRuntimeUs,
    CpusetCpus: resources.cpusetCpus,
    CpusetMems: resources.cpusetMems,
    Devices: resources.devices.map(device => ({
      PathOnHost: device.pathOnHost,
      PathInContainer: device.pathInContainer,
      CgroupPermissions: device.cgroupPermissions,
    })),
    DeviceCgroupRules: orNull(resources.deviceCgroupRules),
    DeviceRequests: null,
    MemoryReservation: resources.memoryReservationBytes,
    MemorySwap: resources.memorySwapBytes,
    MemorySwappiness: resources.memorySwappiness ?? null,
    OomKillDisable: resources.oomKillDisable ?? null,
    PidsLimit: resources.pidsLimit ?? null,
    Ulimits: resources.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
    ...(resources.networkBandwidth === undefined
      ? {}
      : {
          GantryNetworkBandwidth: {
            Up: resources.networkBandwidth.up ?? 0,
            Down: resources.networkBandwidth.down ?? 0,
          },
        }),
  };
}

function bandwidthFromWire(body: { Up?: number; Down?: number } | undefined): Resources['networkBandwidth'] {
  return body === undefined ? undefined : { up: body.Up, down: body.Down };
}

function refuseUnsupported(body: HostConfigBody): void {
  for (const { Driver = '', Capabilities } of body.DeviceRequests ?? []) {
    const sets = (Capabilities ?? []).map(set => `[${set.join(' ')}]`).join(' ');
    throw new EngineError(
      'invalid',
      `could not select device driver ${JSON.stringify(Driver)} with capabilities: [${sets}]`,
    );
  }
  for (const { field, harmless } of unsupported) {
    const value = body[field];
    if (isZero(value) || harmless?.includes(value)) continue;
    throw new EngineError('notImplemented', `HostConfig.${field} is not supported`);
  }
}

function restartPolicyFromWire(policy: {
  Name?: string;
  MaximumRetryCount?: number;
}): HostConfig['restartPolicy'] {
  const name = policy.Name || 'no';
  if (!restartPolicies.includes(name)) {
    throw new EngineError('invalid', `invalid restart policy '${name}'`);
  }
  return { name: name as RestartPolicyName, maximumRetryCount: policy.MaximumRetryCount ?? 0 };
}

/** Which words there are is the engine's to say. */
function healthOnFailureFromWire(word: string | undefined): HealthFailureAction | undefined {
  return (word || undefined) as HealthFailureAction | undefined;
}

function scheduleFromWire(schedule: { Cron?: string; TimeZone?: string; CatchUp?: boolean }): ScheduleConfig {
  const { Cron = '', TimeZone = '', CatchUp = false } = schedule;
  return { cron: Cron, timeZone: TimeZone, catchUp: CatchUp };
}

export function scheduleToWire({ cron, timeZone, catchUp }: ScheduleConfig): WireSchedule {
  return { Cron: cron, TimeZone: timeZone, CatchUp: catchUp };
}

/** @throws EngineError `invalid` for ports that are none */
export function portBindingsFromWire(
  bindings: Record<string, { HostIp?: string; HostPort?: string }[]>,
): HostConfig['portBindings'] {
  return Object.fromEntries(
    Object.entries(bindings).map(([port, list]) => [
      portKey(port),
      list.map(({ HostIp, HostPort }) => ({ hostIp: HostIp ?? '', hostPort: HostPort ?? '' })),
    ]),
  );
}

function portBindingsToWire(bindings: HostConfig['portBindings']): WireHostConfig['PortBindings'] {
  return Object.fromEntries(
    Object.entries(bindings).map(([port, list]) => [
      port,
      list.map(({ hostIp, hostPort }) => ({ HostIp: hostIp, HostPort: hostPort })),
    ]),
  );
}

function secretsFromWire(list: HostConfigBody['Secrets']): HostConfig['secrets'] {
  return list?.map(({ Source, Target, UID, GID, Mode }) => ({
    source: Source ?? '',
    target: Target ?? '',
    uid: UID ?? '',
    gid: GID ?? '',
    mode: Mode,
  }));
}

function secretsToWire(secrets: HostConfig['secrets'] = []): Pick<WireHostConfig, 'Secrets'> {
  if (secrets.length === 0) return {};
  return {
    Secrets: secrets.map(({ source, target, uid, gid, mode }) => ({
      Source: source,
      Target: target,
      UID: uid,
      GID: gid,
      Mode: mode,
    })),
  };
}

function consoleSizeFromWire(size: number[] | undefined): HostConfig['consoleSize'] {
  const [height = 0, width = 0] = size ?? [];
  return height === 0 && width === 0 ? undefined : { height, width };
}

function shmSize(bytes: number): number {
  if (bytes < 0) throw new EngineError('invalid', 'SHM size can not be less than 0');
  return bytes;
}

function throttles(
  devices: { Path?: string; Rate?: number }[] | undefined,
): { path: string; rate: number }[] {
  return (devices ?? []).map(({ Path, Rate }) => ({ path: Path ?? '', rate: Rate ?? 0 }));
}

function throttlesToWire(devices: { path: string; rate: number }[]): { Path: string; Rate: number }[] {
  return devices.map(({ path, rate }) => ({ Path: path, Rate: rate }));
}

/** What Go would leave out under `omitempty`. */
export function isZero(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** Docker writes empty lists that nobody set as null. */
export function orNull<T>(values: T[]): T[] | null {
  return values.length === 0 ? null : values;
}
