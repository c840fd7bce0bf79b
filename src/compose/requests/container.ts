import type {
  Resources as ApiResources,
  ContainerConfig,
  ContainerCreateRequest,
  HostConfig,
  PortMap,
  RestartPolicy,
  Ulimit,
} from '../../api/containers.ts';
import type { EndpointSettings } from '../../api/networks.ts';
import { EngineError } from '../../stdx/errors.ts';
import { goDurationOf } from '../../stdx/go-duration.ts';
import { fileMounts } from '../files.ts';
import { composeLabels, composeLabelsVersion } from '../labels.ts';
import { containerName } from '../names.ts';
import type { OneOff } from '../plan/plan.ts';
import { scaleOf } from '../plan/up.ts';
import { serviceHash } from '../print/hash.ts';
import type { Attachment, DeviceRequest, HealthCheck, Project, Service } from '../project.ts';
import { withSharedContainers } from '../shared-services.ts';
import { mountRequests } from './mounts.ts';

/** What of a container's request the project's files do not say. */
export interface ContainerSurroundings {
  number: number;
  name: string;
  /** Of a container that `run` makes. */
  oneOff?: OneOff | undefined;
  /** Of the image that the container is made of. */
  image: { reference: string; digest: string };
  /** The containers of services whose namespaces or volumes this one uses: an id for each service. */
  sharedContainers: Readonly<Record<string, string>>;
  /** Anonymous volumes of the container that is replaced, by where they are mounted. */
  inheritedVolumes: ReadonlyMap<string, string>;
  configFiles: readonly string[];
  environmentFiles: readonly string[];
  workingDirectory: string;
}

/**
 * The request that makes one container of a service, as docker compose makes it.
 * @throws EngineError notImplemented for attributes that only other systems have
 */
export function containerRequest(
  project: Project,
  serviceName: string,
  around: ContainerSurroundings,
): ContainerCreateRequest {
  const service = project.services[serviceName]!;
  refuseForeign(serviceName, service);
  const networks = attachments(project, service);
  const [first] = networks;
  const mode = networkMode(service, around, first?.name);
  return {
    ...config(project, serviceName, service, around),
    HostConfig: hostConfig(project, serviceName, around, mode),
    NetworkingConfig: {
      EndpointsConfig: Object.fromEntries(
        networks.map(({ key, name }) => [name, endpointRequest(project, serviceName, key, around)]),
      ),
    },
  };
}

/** What one container of a service is in one of its networks. @param key the project's name of the network */
export function endpointRequest(
  project: Project,
  serviceName: string,
  key: string,
  around: Pick<ContainerSurroundings, 'name' | 'number' | 'oneOff'>,
): Partial<EndpointSettings> {
  const service = project.services[serviceName]!;
  const networks = attachments(project, service);
  const { attachment } = networks.find(network => network.key === key)!;
  return {
    Aliases: aliases(attachment, project, serviceName, around),
    ...endpoint(attachment, project, service, key === networks[0]?.key),
  };
}

function refuseForeign(name: string, service: Service): void {
  if (service.credential_spec !== undefined)
    throw new EngineError('notImplemented', `services.${name}.credential_spec is for containers of Windows`);
  if (Object.keys(service.models ?? {}).length > 0)
    throw new EngineError(
      'notImplemented',
      `services.${name}.models: 'models' support requires Docker Model plugin`,
    );
}

function config(
  project: Project,
  serviceName: string,
  service: Service,
  around: ContainerSurroundings,
): Partial<ContainerConfig> {
  const ports = [
    ...(service.expose ?? []).flatMap(exposedPorts),
    ...(service.ports ?? []).map(({ target, protocol }) => `${target}/${protocol}`),
  ];
  return {
    ...(service.hostname === undefined ? {} : { Hostname: service.hostname }),
    ...(service.domainname === undefined ? {} : { Domainname: service.domainname }),
    ...(service.user === undefined ? {} : { User: service.user }),
    ...(service.working_dir === undefined ? {} : { WorkingDir: service.working_dir }),
    ...(around.oneOff?.interactive ? { AttachStdin: true, StdinOnce: true } : {}),
    AttachStdout: true,
    AttachStderr: true,
    Tty: service.tty === true,
    OpenStdin: service.stdin_open === true,
    Env: environmentList(service.environment),
    Cmd: service.command ?? null,
    Entrypoint: service.entrypoint ?? null,
    Image: around.image.reference,
    ExposedPorts: Object.fromEntries(ports.map(port => [port, {}])),
    ...(service.healthcheck === undefined ? {} : { Healthcheck: healthcheck(service.healthcheck) }),
    ...(service.stop_signal === undefined ? {} : { StopSignal: service.stop_signal }),
    ...(service.stop_grace_period === undefined
      ? {}
      : { StopTimeout: Math.floor(nanoseconds(service.stop_grace_period) / 1e9) }),
    Labels: labels(project, serviceName, service, around),
  };
}

/** `80`, `80/udp`, `8000-8010`. */
function exposedPorts(written: string): string[] {
  const match = /^(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(written);
  if (match === null) throw new EngineError('invalid', `invalid port in expose: ${JSON.stringify(written)}`);
  const [, first, last = first, protocol = 'tcp'] = match;
  const count = Number(last) - Number(first) + 1;
  return Array.from({ length: count }, (_, at) => `${Number(first) + at}/${protocol}`);
}

export function environmentList(environment: Service['environment'] = {}): string[] {
  return Object.entries(environment)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => (value === null ? name : `${name}=${value}`));
}

function healthcheck({ test, disable, ...times }: HealthCheck): NonNullable<ContainerConfig['Healthcheck']> {
  if (disable) return { Test: ['NONE'] };
  return {
    ...(test === undefined ? {} : { Test: test }),
    ...(times.interval === undefined ? {} : { Interval: nanoseconds(times.interval) }),
    ...(times.timeout === undefined ? {} : { Timeout: nanoseconds(times.timeout) }),
    ...(times.start_period === undefined ? {} : { StartPeriod: nanoseconds(times.start_period) }),
    ...(times.start_interval === undefined ? {} : { StartInterval: nanoseconds(times.start_interval) }),
    ...(times.retries === undefined ? {} : { Retries: times.retries }),
  };
}

function labels(
  project: Project,
  serviceName: string,
  service: Service,
  around: ContainerSurroundings,
): Record<string, string> {
  const needed = Object.entries(service.depends_on ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...service.labels,
    [composeLabels.project]: project.name,
    [composeLabels.service]: serviceName,
    ...(around.oneOff === undefined
      ? { [composeLabels.number]: String(around.number), [composeLabels.oneOff]: 'False' }
      : { [composeLabels.slug]: around.oneOff.slug, [composeLabels.oneOff]: 'True' }),
    [composeLabels.configHash]: serviceHash(withSharedContainers(service, around.sharedContainers)),
    [composeLabels.imageDigest]: around.image.digest,
    [composeLabels.dependsOn]: needed
      .map(([name, { condition, restart = false }]) => `${name}:${condition}:${restart}`)
      .join(','),
    [composeLabels.configFiles]: around.configFiles.join(','),
    [composeLabels.workingDirectory]: around.workingDirectory,
    [composeLabels.version]: composeLabelsVersion,
    ...(around.environmentFiles.length === 0
      ? {}
      : { [composeLabels.environmentFiles]: around.environmentFiles.join(',') }),
  };
}

function hostConfig(
  project: Project,
  serviceName: string,
  around: ContainerSurroundings,
  networkModeOf: string,
): Partial<HostConfig> {
  const service = project.services[serviceName]!;
  const { binds, mounts } = mountRequests(service.volumes ?? [], project, around.inheritedVolumes);
  return {
    ...resources(service),
    Binds: binds,
    Mounts: [...mounts, ...fileMounts(project, serviceName)],
    NetworkMode: networkModeOf,
    PortBindings: portBindings(service),
    RestartPolicy: restartPolicy(service),
    ...(around.oneOff?.autoRemove ? { AutoRemove: true } : {}),
    ...(service.annotations === undefined ? {} : { Annotations: service.annotations }),
    CapAdd: capabilities(service.cap_add),
    CapDrop: capabilities(service.cap_drop),
    ...(service.cgroup === undefined ? {} : { CgroupnsMode: service.cgroup }),
    Dns: service.dns ?? null,
    DnsOptions: service.dns_opt ?? null,
    DnsSearch: service.dns_search ?? null,
    ExtraHosts: Object.entries(service.extra_hosts ?? {}).flatMap(([name, addresses]) =>
      addresses.map(address => `${name}:${address}`),
    ),
    GroupAdd: service.group_add ?? null,
    Links: links(project, service),
    ...(service.init === undefined ? {} : { Init: service.init }),
    ...(service.isolation === undefined ? {} : { Isolation: service.isolation }),
    ...(service.ipc === undefined ? {} : { IpcMode: sharedNamespace(service.ipc, around) }),
    ...(service.pid ? { PidMode: sharedNamespace(service.pid, around) } : {}),
    ...(service.uts === undefined ? {} : { UTSMode: service.uts }),
    ...(service.userns_mode === undefined ? {} : { UsernsMode: service.userns_mode }),
    ...(service.logging === undefined
      ? {}
      : { LogConfig: { Type: service.logging.driver ?? '', Config: service.logging.options ?? {} } }),
    ...(service.oom_score_adj === undefined ? {} : { OomScoreAdj: service.oom_score_adj }),
    Privileged: service.privileged === true,
    ReadonlyRootfs: service.read_only === true,
    ...(service.runtime === undefined ? {} : { Runtime: service.runtime }),
    SecurityOpt: service.security_opt ?? null,
    ...(service.shm_size === undefined ? {} : { ShmSize: Number(service.shm_size) }),
    ...(service.storage_opt === undefined ? {} : { StorageOpt: service.storage_opt }),
    ...(service.sysctls === undefined ? {} : { Sysctls: service.sysctls }),
    ...(service.tmpfs === undefined ? {} : { Tmpfs: Object.fromEntries(service.tmpfs.map(tmpfsOf)) }),
    VolumesFrom: (service.volumes_from ?? []).map(from => sharedVolumes(from, around)),
  };
}

/** With their prefix, however they are written. */
function capabilities(names: readonly string[] | undefined): string[] | null {
  if (names === undefined) return null;
  return names.map(name => {
    const upper = name.toUpperCase();
    return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  });
}

function tmpfsOf(written: string): [string, string] {
  const colon = written.indexOf(':');
  return colon === -1 ? [written, ''] : [written.slice(0, colon), written.slice(colon + 1)];
}

function portBindings({ ports = [] }: Service): PortMap {
  const bindings: PortMap = {};
  for (const { target, protocol, host_ip = '', published = '' } of ports) {
    const key = `${target}/${protocol}`;
    bindings[key] = [...(bindings[key] ?? []), { HostIp: host_ip, HostPort: published }];
  }
  return bindings;
}

/** What `deploy` says counts before `restart`. */
function restartPolicy({ restart, deploy }: Service): RestartPolicy {
  const policy = deploy?.restart_policy;
  if (policy !== undefined) {
    const { condition = '', max_attempts = 0 } = policy;
    const name = condition === 'any' ? 'always' : condition === 'none' ? 'no' : condition;
    return { Name: name as RestartPolicy['Name'], MaximumRetryCount: max_attempts };
  }
  const [name = '', count] = (restart ?? '').split(':');
  return { Name: name as RestartPolicy['Name'], MaximumRetryCount: Number(count ?? 0) };
}

function resources(service: Service): Partial<ApiResources> {
  const { limits, reservations } = service.deploy?.resources ?? {};
  const memory = limits?.memory ?? service.mem_limit;
  const reserved = reservations?.memory ?? service.mem_reservation;
  const cpus = limits?.cpus ?? service.cpus;
  const pids = limits?.pids ?? service.pids_limit;
  const blkio = service.blkio_config;
  const rates = (of: { path?: string; rate?: string }[] = []) =>
    of.map(({ path = '', rate = '0' }) => ({ Path: path, Rate: Number(rate) }));
  return {
    ...(memory === undefined ? {} : { Memory: Number(memory) }),
    ...(reserved === undefined ? {} : { MemoryReservation: Number(reserved) }),
    ...(service.memswap_limit === undefined ? {} : { MemorySwap: Number(service.memswap_limit) }),
    ...(service.mem_swappiness === undefined ? {} : { MemorySwappiness: Number(service.mem_swappiness) }),
    ...(cpus === undefined ? {} : { NanoCpus: Math.round(cpus * 1e9) }),
    ...(pids === undefined ? {} : { PidsLimit: pids }),
    ...(service.cgroup_parent === undefined ? {} : { CgroupParent: service.cgroup_parent }),
    ...(service.cpu_count === undefined ? {} : { CpuCount: service.cpu_count }),
    // As docker compose has it, in hundredths.
    ...(service.cpu_percent === undefined ? {} : { CpuPercent: service.cpu_percent * 100 }),
    ...(service.cpu_period === undefined ? {} : { CpuPeriod: service.cpu_period }),
    ...(service.cpu_quota === undefined ? {} : { CpuQuota: service.cpu_quota }),
    ...(service.cpu_rt_period === undefined ? {} : { CpuRealtimePeriod: service.cpu_rt_period }),
    ...(service.cpu_rt_runtime === undefined ? {} : { CpuRealtimeRuntime: service.cpu_rt_runtime }),
    ...(service.cpu_shares === undefined ? {} : { CpuShares: service.cpu_shares }),
    ...(service.cpuset === undefined ? {} : { CpusetCpus: service.cpuset }),
    ...(service.oom_kill_disable ? { OomKillDisable: true } : {}),
    ...(blkio === undefined
      ? {}
      : {
          BlkioWeight: blkio.weight ?? 0,
          BlkioWeightDevice: (blkio.weight_device ?? []).map(({ path = '', weight = 0 }) => ({
            Path: path,
            Weight: Number(weight),
          })),
          BlkioDeviceReadBps: rates(blkio.device_read_bps),
          BlkioDeviceWriteBps: rates(blkio.device_write_bps),
          BlkioDeviceReadIOps: rates(blkio.device_read_iops),
          BlkioDeviceWriteIOps: rates(blkio.device_write_iops),
        }),
    ...(service.devices === undefined
      ? {}
      : {
          Devices: service.devices.map(({ source, target = source, permissions = 'rwm' }) => ({
            PathOnHost: source,
            PathInContainer: target,
            CgroupPermissions: permissions,
          })),
        }),
    ...(service.device_cgroup_rules === undefined ? {} : { DeviceCgroupRules: service.device_cgroup_rules }),
    ...(service.ulimits === undefined ? {} : { Ulimits: ulimits(service.ulimits) }),
    ...deviceRequests([...(reservations?.devices ?? []), ...(service.gpus ?? []).map(graphics)]),
  };
}

function graphics(request: DeviceRequest): DeviceRequest {
  return { ...request, capabilities: [...(request.capabilities ?? []), 'gpu'] };
}

function deviceRequests(requests: readonly DeviceRequest[]): Partial<ApiResources> {
  if (requests.length === 0) return {};
  return {
    DeviceRequests: requests.map(({ driver = '', count, device_ids, capabilities, options }) => ({
      Driver: driver,
      Count: count ?? 0,
      DeviceIDs: device_ids ?? null,
      Capabilities: [capabilities ?? []],
      Options: options ?? null,
    })),
  };
}

function ulimits(of: NonNullable<Service['ulimits']>): Ulimit[] {
  return Object.entries(of)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, limit]) =>
      typeof limit === 'number'
        ? { Name: name, Soft: limit, Hard: limit }
        : { Name: name, Soft: limit.soft, Hard: limit.hard },
    );
}

interface NamedAttachment {
  /** In the project. */
  key: string;
  /** On the daemon. */
  name: string;
  attachment: Attachment;
}

/** The networks of a service, the one with the highest priority first: it is made with the container. */
function attachments(project: Project, { networks = {} }: Service): NamedAttachment[] {
  return Object.entries(networks)
    .map(([key, attachment]) => ({ key, attachment: attachment ?? {} }))
    .sort((a, b) => (b.attachment.priority ?? 0) - (a.attachment.priority ?? 0) || (a.key < b.key ? -1 : 1))
    .map(({ key, attachment }) => ({ key, name: project.networks![key]!.name, attachment }));
}

function networkMode(service: Service, around: ContainerSurroundings, first: string | undefined): string {
  const mode = service.network_mode;
  if (mode === undefined) return first ?? 'none';
  return mode.startsWith('service:')
    ? `container:${around.sharedContainers[mode.slice('service:'.length)]}`
    : mode;
}

/** A container of `run` must not be taken for one of the service, unless that is asked for. */
function aliases(
  attachment: Attachment,
  project: Project,
  serviceName: string,
  { oneOff, name, number }: Pick<ContainerSurroundings, 'oneOff' | 'name' | 'number'>,
): string[] {
  if (oneOff !== undefined && !oneOff.usesAliases) return [name];
  const own = oneOff === undefined ? containerName(project, serviceName, number) : name;
  return [...new Set([own, serviceName, ...(attachment.aliases ?? [])])];
}

function endpoint(
  attachment: Attachment,
  project: Project,
  service: Service,
  isFirst: boolean,
): Partial<EndpointSettings> {
  const { ipv4_address, ipv6_address, link_local_ips, interface_name } = attachment;
  const mac = attachment.mac_address ?? (isFirst ? service.mac_address : undefined);
  const addresses = {
    ...(ipv4_address === undefined ? {} : { IPv4Address: ipv4_address }),
    ...(ipv6_address === undefined ? {} : { IPv6Address: ipv6_address }),
    ...(link_local_ips === undefined ? {} : { LinkLocalIPs: link_local_ips }),
  };
  const options = {
    ...attachment.driver_opts,
    ...(interface_name === undefined ? {} : { 'com.docker.network.endpoint.ifname': interface_name }),
  };
  return {
    ...(Object.keys(addresses).length === 0 ? {} : { IPAMConfig: addresses }),
    ...(Object.keys(options).length === 0 ? {} : { DriverOpts: options }),
    ...(mac === undefined ? {} : { MacAddress: mac }),
    ...(attachment.gw_priority === undefined ? {} : { GwPriority: attachment.gw_priority }),
    Links: links(project, service),
  };
}

/**
 * `container:name` for each container of a linked service, by its alias, its name and `service-number`, and links to
 * containers outside.
 */
function links(project: Project, service: Service): string[] {
  const linked = (service.links ?? []).flatMap(link => {
    const [name = '', alias = name] = link.split(':');
    const other = project.services[name];
    const count = other === undefined ? 0 : scaleOf(name, other, {});
    return Array.from({ length: count }, (_, at) => {
      const container = containerName(project, name, at + 1);
      return [alias, container, `${name}-${at + 1}`].map(as => `${container}:${as}`);
    }).flat();
  });
  const outside = (service.external_links ?? []).map(link => (link.includes(':') ? link : `${link}:${link}`));
  return [...new Set([...linked, ...outside])];
}

/** `service:NAME` is the namespace of that service's container. */
function sharedNamespace(mode: string, around: ContainerSurroundings): string {
  if (!mode.startsWith('service:')) return mode;
  return `container:${around.sharedContainers[mode.slice('service:'.length)]}`;
}

/** `SERVICE[:ro]` or `container:NAME[:ro]`. */
function sharedVolumes(from: string, around: ContainerSurroundings): string {
  if (from.startsWith('container:')) return from.slice('container:'.length);
  const [name = '', ...options] = from.split(':');
  return [around.sharedContainers[name], ...options].join(':');
}

function nanoseconds(duration: string): number {
  return goDurationOf(duration) ?? 0;
}
