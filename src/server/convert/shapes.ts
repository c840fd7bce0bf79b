import {
  anything,
  base64,
  bool,
  int,
  list,
  map,
  nullableMap,
  object,
  string,
  stringOrList,
} from '../go-json.ts';

/** What request bodies may hold; the types of the values are Docker's (api/swagger.yaml). */
const throttleDevices = list(object('ThrottleDevice', { Path: string, Rate: int }));

export const healthcheck = object('HealthConfig', {
  Test: list(string),
  Interval: int,
  Timeout: int,
  StartPeriod: int,
  StartInterval: int,
  Retries: int,
});

const schedule = object('Schedule', { Cron: string, TimeZone: string, CatchUp: bool });

const restartPolicy = object('RestartPolicy', { Name: string, MaximumRetryCount: int });

const resourceFields = {
  CpuShares: int,
  Memory: int,
  NanoCpus: int,
  CgroupParent: string,
  BlkioWeight: int,
  BlkioWeightDevice: list(object('WeightDevice', { Path: string, Weight: int })),
  BlkioDeviceReadBps: throttleDevices,
  BlkioDeviceWriteBps: throttleDevices,
  BlkioDeviceReadIOps: throttleDevices,
  BlkioDeviceWriteIOps: throttleDevices,
  CpuPeriod: int,
  CpuQuota: int,
  CpuRealtimePeriod: int,
  CpuRealtimeRuntime: int,
  CpusetCpus: string,
  CpusetMems: string,
  Devices: list(
    object('DeviceMapping', { PathOnHost: string, PathInContainer: string, CgroupPermissions: string }),
  ),
  DeviceCgroupRules: list(string),
  DeviceRequests: list(
    object('DeviceRequest', {
      Driver: string,
      Count: int,
      DeviceIDs: list(string),
      Capabilities: list(list(string)),
      Options: map(string),
    }),
  ),
  KernelMemory: int,
  KernelMemoryTCP: int,
  MemoryReservation: int,
  MemorySwap: int,
  MemorySwappiness: int,
  OomKillDisable: bool,
  PidsLimit: int,
  Ulimits: list(object('Ulimit', { Name: string, Soft: int, Hard: int })),
  CpuCount: int,
  CpuPercent: int,
  IOMaximumIOps: int,
  IOMaximumBandwidth: int,
  GantryNetworkBandwidth: object('NetworkBandwidth', { Up: int, Down: int }),
};

const mount = object('Mount', {
  Type: string,
  Source: string,
  Target: string,
  ReadOnly: bool,
  Consistency: string,
  BindOptions: object('BindOptions', {
    Propagation: string,
    NonRecursive: bool,
    CreateMountpoint: bool,
    ReadOnlyNonRecursive: bool,
    ReadOnlyForceRecursive: bool,
  }),
  VolumeOptions: object('VolumeOptions', {
    NoCopy: bool,
    Labels: map(string),
    DriverConfig: object('Driver', { Name: string, Options: map(string) }),
    Subpath: string,
  }),
  TmpfsOptions: object('TmpfsOptions', { SizeBytes: int, Mode: int, Options: list(list(string)) }),
  ImageOptions: object('ImageOptions', { Subpath: string }),
  ClusterOptions: anything,
});

const portBindings = list(object('PortBinding', { HostIp: string, HostPort: string }));

export const hostConfig = object('HostConfig', {
  ...resourceFields,
  Binds: list(string),
  ContainerIDFile: string,
  LogConfig: object('LogConfig', { Type: string, Config: map(string) }),
  NetworkMode: string,
  PortBindings: nullableMap(portBindings, []),
  RestartPolicy: restartPolicy,
  HealthOnFailure: string,
  Schedule: schedule,
  AutoRemove: bool,
  VolumeDriver: string,
  VolumesFrom: list(string),
  ConsoleSize: list(int),
  Annotations: map(string),
  CapAdd: stringOrList,
  CapDrop: stringOrList,
  Capabilities: list(string),
  CgroupnsMode: string,
  Dns: list(string),
  DnsOptions: list(string),
  DnsSearch: list(string),
  ExtraHosts: list(string),
  GroupAdd: list(string),
  IpcMode: string,
  Cgroup: string,
  Links: list(string),
  OomScoreAdj: int,
  PidMode: string,
  Privileged: bool,
  PublishAllPorts: bool,
  ReadonlyRootfs: bool,
  SecurityOpt: list(string),
  StorageOpt: map(string),
  Tmpfs: map(string),
  UTSMode: string,
  UsernsMode: string,
  ShmSize: int,
  Sysctls: map(string),
  Runtime: string,
  Isolation: string,
  Mounts: list(mount),
  Secrets: list(
    object('SecretReference', { Source: string, Target: string, UID: string, GID: string, Mode: int }),
  ),
  MaskedPaths: list(string),
  ReadonlyPaths: list(string),
  Init: bool,
});

export const endpointSettings = object('EndpointSettings', {
  IPAMConfig: object('EndpointIPAMConfig', {
    IPv4Address: string,
    IPv6Address: string,
    LinkLocalIPs: list(string),
  }),
  Links: list(string),
  Aliases: list(string),
  DriverOpts: map(string),
  MacAddress: string,
  GwPriority: int,
});

export const containerConfigFields = {
  Hostname: string,
  Domainname: string,
  User: string,
  AttachStdin: bool,
  AttachStdout: bool,
  AttachStderr: bool,
  ExposedPorts: nullableMap(anything, {}),
  Tty: bool,
  OpenStdin: bool,
  StdinOnce: bool,
  Env: list(string),
  Cmd: stringOrList,
  Healthcheck: healthcheck,
  ArgsEscaped: bool,
  Image: string,
  Volumes: nullableMap(anything, {}),
  WorkingDir: string,
  Entrypoint: stringOrList,
  NetworkDisabled: bool,
  MacAddress: string,
  OnBuild: list(string),
  Labels: map(string),
  StopSignal: string,
  StopTimeout: int,
  Shell: stringOrList,
};

export const containerConfig = object('Config', containerConfigFields);

export const createRequest = object('CreateRequest', {
  ...containerConfigFields,
  HostConfig: hostConfig,
  NetworkingConfig: object('NetworkingConfig', { EndpointsConfig: nullableMap(endpointSettings, {}) }),
});

export const updateRequest = object('UpdateConfig', {
  ...resourceFields,
  RestartPolicy: restartPolicy,
  HealthOnFailure: string,
  Schedule: schedule,
});

export const editRequest = object('EditRequest', {
  Publish: nullableMap(portBindings, []),
  Unpublish: list(string),
  Env: list(string),
  UnsetEnv: list(string),
  Binds: list(string),
  Mounts: list(mount),
  Volumes: list(string),
  Unmount: list(string),
  Labels: map(string),
  RemoveLabels: list(string),
  Networks: nullableMap(endpointSettings, {}),
  LeaveNetworks: list(string),
  Cmd: list(string),
  Hostname: string,
  Update: updateRequest,
});

export const execCreate = object('ExecOptions', {
  User: string,
  Privileged: bool,
  Tty: bool,
  ConsoleSize: list(int),
  AttachStdin: bool,
  AttachStderr: bool,
  AttachStdout: bool,
  DetachKeys: string,
  Env: list(string),
  WorkingDir: string,
  Cmd: list(string),
});

export const execStart = object('ExecStartOptions', { Detach: bool, Tty: bool, ConsoleSize: list(int) });

export const networkCreate = object('CreateRequest', {
  Name: string,
  CheckDuplicate: bool,
  Driver: string,
  Scope: string,
  EnableIPv4: bool,
  EnableIPv6: bool,
  IPAM: object('IPAM', {
    Driver: string,
    Options: map(string),
    Config: list(
      object('IPAMConfig', {
        Subnet: string,
        IPRange: string,
        Gateway: string,
        AuxiliaryAddresses: map(string),
        AuxAddress: map(string),
      }),
    ),
  }),
  Internal: bool,
  Attachable: bool,
  Ingress: bool,
  ConfigOnly: bool,
  ConfigFrom: object('ConfigReference', { Network: string }),
  Options: map(string),
  Labels: map(string),
});

export const networkConnect = object('ConnectOptions', {
  Container: string,
  EndpointConfig: endpointSettings,
});
/** Gantry's own. */
export const networkEgress = object('NetworkEgressRequest', {
  Allow: list(string),
  Remove: list(string),
  Unlimited: bool,
});

export const networkDisconnect = object('DisconnectOptions', { Container: string, Force: bool });

export const volumeCreate = object('CreateOptions', {
  Name: string,
  Driver: string,
  DriverOpts: map(string),
  Labels: map(string),
  ClusterVolumeSpec: anything,
});

export const volumeClone = object('VolumeClone', {
  Name: string,
  DriverOpts: map(string),
  Labels: map(string),
});

const secretDriver = object('Driver', { Name: string, Options: map(string) });

export const secretSpec = object('SecretSpec', {
  Name: string,
  Labels: map(string),
  Data: base64,
  Driver: secretDriver,
  Templating: secretDriver,
});

export const registryAuth = object('AuthConfig', {
  username: string,
  password: string,
  auth: string,
  email: string,
  serveraddress: string,
  identitytoken: string,
  registrytoken: string,
});
