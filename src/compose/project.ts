/**
 * The canonical model of a Compose project: what all phases of the loader make of its files, and what everything after
 * them works with. Names of attributes are the specification's; sizes are bytes as text, durations as Go writes them.
 */
export interface Project {
  name: string;
  /** Between the parts of names of containers and images; `-` without it (`--compatibility`: that of docker-compose 1). */
  separator?: '_';
  services: Record<string, Service>;
  networks?: Record<string, Network>;
  volumes?: Record<string, Volume>;
  secrets?: Record<string, FileObject>;
  configs?: Record<string, FileObject>;
  models?: Record<string, { name?: string; model: string; context_size?: number; runtime_flags?: string[] }>;
  [extension: `x-${string}`]: unknown;
}

export interface Service {
  annotations?: Record<string, string>;
  attach?: boolean;
  blkio_config?: BlockIo;
  build?: Build;
  cap_add?: string[];
  cap_drop?: string[];
  cgroup?: string;
  cgroup_parent?: string;
  command?: string[] | null;
  configs?: FileMount[];
  container_name?: string;
  cpu_count?: number;
  cpu_percent?: number;
  cpu_period?: number;
  cpu_quota?: number;
  cpu_rt_period?: number;
  cpu_rt_runtime?: number;
  cpu_shares?: number;
  cpus?: number;
  cpuset?: string;
  credential_spec?: { config?: string; file?: string; registry?: string };
  depends_on?: Record<string, Dependency>;
  deploy?: Deploy | null;
  develop?: { watch?: WatchRule[] } | null;
  device_cgroup_rules?: string[];
  devices?: { source: string; target?: string; permissions?: string }[];
  dns?: string[];
  dns_opt?: string[];
  dns_search?: string[];
  domainname?: string;
  entrypoint?: string[] | null;
  env_file?: { path: string; required: boolean; format?: string }[];
  /** Null: nothing gives the variable a value. */
  environment?: Record<string, string | null>;
  expose?: string[];
  external_links?: string[];
  extra_hosts?: Record<string, string[]>;
  gpus?: DeviceRequest[];
  group_add?: string[];
  healthcheck?: HealthCheck;
  hostname?: string;
  image?: string;
  init?: boolean;
  ipc?: string;
  isolation?: string;
  label_file?: string[];
  labels?: Record<string, string>;
  links?: string[];
  logging?: { driver?: string; options?: Record<string, string> };
  mac_address?: string;
  mem_limit?: string;
  mem_reservation?: string;
  mem_swappiness?: string;
  memswap_limit?: string;
  models?: Record<string, { endpoint_var?: string; model_var?: string } | null>;
  network_mode?: string;
  networks?: Record<string, Attachment | null>;
  oom_kill_disable?: boolean;
  oom_score_adj?: number;
  pid?: string | null;
  pids_limit?: number;
  platform?: string;
  ports?: Port[];
  post_start?: Hook[];
  pre_stop?: Hook[];
  privileged?: boolean;
  profiles?: string[];
  provider?: { type: string; options?: Record<string, string[]> };
  pull_policy?: string;
  pull_refresh_after?: string;
  read_only?: boolean;
  restart?: string;
  runtime?: string;
  scale?: number;
  secrets?: FileMount[];
  security_opt?: string[];
  shm_size?: string;
  stdin_open?: boolean;
  stop_grace_period?: string;
  stop_signal?: string;
  storage_opt?: Record<string, string>;
  sysctls?: Record<string, string>;
  tmpfs?: string[];
  tty?: boolean;
  ulimits?: Record<string, number | { soft: number; hard: number }>;
  use_api_socket?: boolean;
  user?: string;
  userns_mode?: string;
  uts?: string;
  volumes?: Mount[];
  volumes_from?: string[];
  working_dir?: string;
  [extension: `x-${string}`]: unknown;
}

export interface Build {
  additional_contexts?: Record<string, string>;
  args?: Record<string, string | null>;
  cache_from?: string[];
  cache_to?: string[];
  context?: string;
  dockerfile?: string;
  dockerfile_inline?: string;
  entitlements?: string[];
  extra_hosts?: Record<string, string[]>;
  isolation?: string;
  labels?: Record<string, string>;
  network?: string;
  no_cache?: boolean;
  platforms?: string[];
  privileged?: boolean;
  provenance?: string;
  pull?: boolean;
  sbom?: string;
  secrets?: FileMount[];
  shm_size?: string;
  ssh?: Record<string, string | null>;
  tags?: string[];
  target?: string;
  ulimits?: Record<string, number | { soft: number; hard: number }>;
}

export interface BlockIo {
  weight?: number;
  weight_device?: { path?: string; weight?: string }[];
  device_read_bps?: DeviceRate[];
  device_read_iops?: DeviceRate[];
  device_write_bps?: DeviceRate[];
  device_write_iops?: DeviceRate[];
}

export interface DeviceRate {
  path?: string;
  rate?: string;
}

export interface Dependency {
  condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
  /** The service is restarted when Compose restarts or recreates the one it depends on. */
  restart?: boolean;
  required: boolean;
}

export interface Deploy {
  mode?: string;
  replicas?: number;
  labels?: Record<string, string>;
  update_config?: UpdateConfig;
  rollback_config?: UpdateConfig;
  resources?: { limits?: Resources; reservations?: Resources };
  restart_policy?: { condition?: string; delay?: string; max_attempts?: number; window?: string };
  placement?: { constraints?: string[]; preferences?: { spread?: string }[]; max_replicas_per_node?: number };
  endpoint_mode?: string;
}

export interface UpdateConfig {
  parallelism?: number;
  delay?: string;
  failure_action?: string;
  monitor?: string;
  max_failure_ratio?: number;
  order?: 'start-first' | 'stop-first';
}

export interface Resources {
  cpus?: number;
  memory?: string;
  pids?: number;
  devices?: DeviceRequest[];
  generic_resources?: { discrete_resource_spec?: { kind?: string; value?: number } }[];
}

export interface DeviceRequest {
  capabilities?: string[];
  driver?: string;
  /** -1: all. */
  count?: number;
  device_ids?: string[];
  options?: Record<string, string>;
}

export interface HealthCheck {
  test?: string[];
  timeout?: string;
  interval?: string;
  retries?: number;
  start_period?: string;
  start_interval?: string;
  disable?: boolean;
}

export interface Hook {
  command: string[] | null;
  user?: string;
  privileged?: boolean;
  working_dir?: string;
  environment?: Record<string, string | null>;
}

export interface WatchRule {
  path: string;
  action: 'rebuild' | 'sync' | 'restart' | 'sync+restart' | 'sync+exec';
  target?: string;
  exec?: Hook;
  include?: string[];
  ignore?: string[];
  initial_sync?: boolean;
}

export interface Attachment {
  aliases?: string[];
  driver_opts?: Record<string, string>;
  gw_priority?: number;
  interface_name?: string;
  ipv4_address?: string;
  ipv6_address?: string;
  link_local_ips?: string[];
  mac_address?: string;
  priority?: number;
}

export interface Port {
  name?: string;
  mode: string;
  host_ip?: string;
  target: number;
  /** A port of the host or a range to choose from; without it the daemon chooses. */
  published?: string;
  protocol: string;
  app_protocol?: string;
}

export interface Mount {
  type: 'bind' | 'volume' | 'tmpfs' | 'cluster' | 'npipe' | 'image';
  source?: string;
  target: string;
  read_only?: boolean;
  consistency?: string;
  bind?: { selinux?: string; propagation?: string; create_host_path?: boolean; recursive?: string };
  volume?: { labels?: Record<string, string>; nocopy?: boolean; subpath?: string };
  tmpfs?: { size?: string; mode?: number };
  image?: { subpath?: string };
}

/** A config or secret as a service or a build sees it. */
export interface FileMount {
  source: string;
  target?: string;
  uid?: string;
  gid?: string;
  /** Octal, with a leading zero. */
  mode?: string;
}

export interface Network {
  name: string;
  driver?: string;
  driver_opts?: Record<string, string>;
  ipam?: { driver?: string; config?: IpamPool[]; options?: Record<string, string> };
  external?: boolean;
  internal?: boolean;
  attachable?: boolean;
  labels?: Record<string, string>;
  enable_ipv4?: boolean;
  enable_ipv6?: boolean;
}

export interface IpamPool {
  subnet?: string;
  gateway?: string;
  ip_range?: string;
  aux_addresses?: Record<string, string>;
}

export interface Volume {
  name: string;
  driver?: string;
  driver_opts?: Record<string, string>;
  external?: boolean;
  labels?: Record<string, string>;
}

/** A config or secret of the project. */
export interface FileObject {
  name: string;
  file?: string;
  environment?: string;
  content?: string;
  external?: boolean;
  labels?: Record<string, string>;
  driver?: string;
  driver_opts?: Record<string, string>;
  template_driver?: string;
}
