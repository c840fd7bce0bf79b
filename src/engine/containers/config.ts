import type { HealthcheckConfig } from '../../oci/image.ts';

/**
 * What the caller asked for when the container was created, after defaults. Two halves, as in Docker:
 * what runs (`ContainerConfig`, portable) and how this machine runs it (`HostConfig`). Neither changes while the
 * container exists, but for `update`.
 */
export interface ContainerConfig {
  hostname: string;
  domainname: string;
  user: string;
  attachStdin: boolean;
  attachStdout: boolean;
  attachStderr: boolean;
  tty: boolean;
  openStdin: boolean;
  stdinOnce: boolean;
  env: string[];
  /** null: as the image says. */
  cmd: string[] | null;
  entrypoint: string[] | null;
  /** As typed by the caller: a reference or an id. */
  image: string;
  /** Declared by image and caller: `80/tcp`. */
  exposedPorts: string[];
  /** Anonymous volumes: paths inside. */
  volumes: string[];
  workingDir: string;
  labels: Record<string, string>;
  stopSignal?: string;
  stopTimeoutS?: number;
  healthcheck?: HealthcheckConfig;
  shell?: string[];
  networkDisabled?: boolean;
  onBuild?: string[];
  macAddress?: string;
}

export type RestartPolicyName = 'no' | 'always' | 'unless-stopped' | 'on-failure';

/** What is done about a container that has become unhealthy. */
export type HealthFailureAction = 'none' | 'restart' | 'stop' | 'kill';

/** When a container is started. */
export interface ScheduleConfig {
  /** Five fields, six with seconds in front, or a name: `0 3 * * *`, `@daily`. */
  cron: string;
  /** `Europe/Berlin`; '': the daemon's. */
  timeZone: string;
  /** One run makes up for those that were missed while no daemon ran. */
  catchUp: boolean;
}

export interface PortBinding {
  /** '' means every address. */
  hostIp: string;
  /** '' means a free one is chosen; `8000-8010` is a range to choose from. */
  hostPort: string;
}

export interface MountRequest {
  type: 'bind' | 'volume' | 'tmpfs' | 'image';
  /** Path on the host, volume name or image; '' for an anonymous volume or a tmpfs. */
  source: string;
  target: string;
  readOnly: boolean;
  bind?: {
    propagation?: string;
    createMountpoint?: boolean;
    nonRecursive?: boolean;
    /** What is mounted below it stays writable. */
    readOnlyNonRecursive?: boolean;
    /** Rather fail than leave something below it writable. */
    readOnlyForceRecursive?: boolean;
  };
  volume?: {
    noCopy?: boolean;
    labels?: Record<string, string>;
    driver?: string;
    driverOptions?: Record<string, string>;
    subpath?: string;
  };
  tmpfs?: { sizeBytes?: number; mode?: number; options?: string[][] };
  image?: { subpath?: string };
}

/** A secret as a file in a container; '' and absent fields are settled at creation. */
export interface SecretRequest {
  /** Its name. */
  source: string;
  target: string;
  uid: string;
  gid: string;
  /** Permissions; absent: 0444. */
  mode?: number;
}

export interface ThrottleDevice {
  path: string;
  rate: number;
}

/** Numbers are as Docker sends them; 0 means unset unless said otherwise. */
export interface Resources {
  memoryBytes: number;
  /** Memory and swap together; -1 unlimited. */
  memorySwapBytes: number;
  memoryReservationBytes: number;
  /** undefined: the kernel's. */
  memorySwappiness?: number;
  /** undefined: this kernel cannot. */
  oomKillDisable?: boolean;
  /** Old clients ask for it; no kernel of today has it. */
  kernelMemoryBytes?: number;
  cpuShares: number;
  nanoCpus: number;
  cpuPeriodUs: number;
  cpuQuotaUs: number;
  cpuRealtimePeriodUs: number;
  cpuRealtimeRuntimeUs: number;
  cpusetCpus: string;
  cpusetMems: string;
  /** undefined or <= 0: unlimited. */
  pidsLimit?: number;
  blkioWeight: number;
  blkioWeightDevices: ThrottleDevice[];
  deviceReadBps: ThrottleDevice[];
  deviceWriteBps: ThrottleDevice[];
  deviceReadIops: ThrottleDevice[];
  deviceWriteIops: ThrottleDevice[];
  devices: { pathOnHost: string; pathInContainer: string; cgroupPermissions: string }[];
  deviceCgroupRules: string[];
  ulimits: { name: string; soft: number; hard: number }[];
  cgroupParent: string;
  /** Bits per second on each network, as the container sees them; 0: as fast as it goes, undefined: not said. */
  networkBandwidth?: { up?: number; down?: number };
}

/** Everything unset. */
export const noLimits: Resources = {
  memoryBytes: 0,
  memorySwapBytes: 0,
  memoryReservationBytes: 0,
  cpuShares: 0,
  nanoCpus: 0,
  cpuPeriodUs: 0,
  cpuQuotaUs: 0,
  cpuRealtimePeriodUs: 0,
  cpuRealtimeRuntimeUs: 0,
  cpusetCpus: '',
  cpusetMems: '',
  blkioWeight: 0,
  blkioWeightDevices: [],
  deviceReadBps: [],
  deviceWriteBps: [],
  deviceReadIops: [],
  deviceWriteIops: [],
  devices: [],
  deviceCgroupRules: [],
  ulimits: [],
  cgroupParent: '',
};

export interface HostConfig extends Resources {
  /** `source:target[:options]`, as typed. */
  binds: string[];
  mounts: MountRequest[];
  /** Absent: none. */
  secrets?: SecretRequest[];
  /** target -> options, as `--tmpfs` gives them. */
  tmpfs: Record<string, string>;
  volumesFrom: string[];
  /** `default`, `bridge`, `host`, `none`, `container:ID` or the name of a network. */
  networkMode: string;
  portBindings: Record<string, PortBinding[]>;
  publishAllPorts: boolean;
  restartPolicy: { name: RestartPolicyName; maximumRetryCount: number };
  /** Absent: nothing. */
  healthOnFailure?: HealthFailureAction;
  /** Absent: started when somebody says so. */
  schedule?: ScheduleConfig;
  autoRemove: boolean;
  volumeDriver: string;
  capAdd: string[];
  capDrop: string[];
  /** `private`, `host` or '' (the default for this cgroup version). */
  cgroupnsMode: string;
  dns: string[];
  dnsOptions: string[];
  dnsSearch: string[];
  /** `name:address`; the address may be `host-gateway`. */
  extraHosts: string[];
  groupAdd: string[];
  /** '', `private`, `shareable`, `none`, `host` or `container:ID`. */
  ipcMode: string;
  /** '', `host` or `container:ID`. */
  pidMode: string;
  /** '' or `host`. */
  utsMode: string;
  usernsMode: string;
  links: string[];
  oomScoreAdj: number;
  privileged: boolean;
  readonlyRootfs: boolean;
  securityOpt: string[];
  shmSizeBytes: number;
  sysctls: Record<string, string>;
  runtime: string;
  init?: boolean;
  logConfig: { type: string; config: Record<string, string> };
  /** undefined: Docker's defaults; []: none. */
  maskedPaths?: string[];
  readonlyPaths?: string[];
  containerIdFile: string;
  consoleSize?: { height: number; width: number };
  annotations: Record<string, string>;
  /** `default`, when the caller said so: there is no other one. */
  isolation?: string;
}

/** One network the container shall be on. */
export interface EndpointRequest {
  aliases: string[];
  links: string[];
  ipv4Address?: string;
  ipv6Address?: string;
  macAddress?: string;
  linkLocalIps?: string[];
  /** Bigger wins the default route; absent: 0. */
  gatewayPriority?: number;
  driverOptions: Record<string, string>;
}

export interface CreateRequest {
  /** Without the leading slash; undefined: one is made up. */
  name?: string;
  platform?: string;
  config: ContainerConfig;
  hostConfig: HostConfig;
  /** By network name or id, as the caller wrote it. */
  endpoints: Record<string, EndpointRequest>;
}
