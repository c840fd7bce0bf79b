import type { ContainerSummary } from '../../api/containers.ts';
import type { EndpointSettings, PortSummary } from '../../api/networks.ts';
import { compareVersions } from '../../api/paths.ts';
import type { EndpointRequest } from '../../engine/containers/config.ts';
import type { ContainerRecord } from '../../engine/containers/container.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Endpoint, PublishedPort } from '../../network/network.ts';
import { ipamConfig, isUp } from './container-inspect.ts';
import { mountPoints } from './mounts.ts';
import { splitPort } from './ports.ts';
import { statusText } from './status-text.ts';
import { unixSeconds } from './time.ts';

/** What `docker ps` shows of a container needs, for all the containers of one answer. */
export interface SummaryContext {
  networkController: Engine['networkController'];
  /** The id of the image that a name means now; undefined when it means none. */
  imageIdOf(name: string): string | undefined;
  /** Names that links give to containers, by id. */
  namesByLinks: ReadonlyMap<string, string[]>;
  /** The API's. */
  version: string;
  nowMs: number;
}

/** Each name is looked up once, however many containers were made from it. */
export function summaryContext(
  engine: Pick<Engine, 'networkController' | 'imageStore' | 'containers'>,
  version: string,
): SummaryContext {
  const ids = new Map<string, string | undefined>();
  const imageIdOf = (name: string): string | undefined => {
    if (!ids.has(name)) ids.set(name, engine.imageStore.find(name)?.id);
    return ids.get(name);
  };
  return {
    networkController: engine.networkController,
    imageIdOf,
    namesByLinks: engine.containers.namesByLinks(),
    version,
    nowMs: Date.now(),
  };
}

/** One line of `docker ps`: from memory, without a look at disk or kernel, as there may be a thousand. */
export function summaryToWire(context: SummaryContext, record: ContainerRecord): ContainerSummary {
  return {
    Id: record.id,
    Names: [`/${record.name}`, ...(context.namesByLinks.get(record.id) ?? [])],
    Image: shownImage(context, record),
    ImageID: record.imageId,
    Command: commandLine(record),
    Created: unixSeconds(record.createdAtMs),
    Ports: portsOf(context, record),
    Labels: record.config.labels,
    State: record.state.status,
    Status: statusText(record.state, context.nowMs),
    HostConfig: hostConfigOf(context, record),
    NetworkSettings: { Networks: networksOf(context, record) },
    Mounts: mountPoints(record.mounts),
  };
}

/** Annotations, where there are some, since 1.46. */
function hostConfigOf(
  { version }: SummaryContext,
  { hostConfig: { networkMode, annotations = {} } }: ContainerRecord,
): ContainerSummary['HostConfig'] {
  const tell = compareVersions(version, '1.46') >= 0 && Object.keys(annotations).length > 0;
  return { NetworkMode: networkMode, ...(tell ? { Annotations: annotations } : {}) };
}

/** The name it was made from, as long as that still means the same image. */
function shownImage({ imageIdOf }: SummaryContext, record: ContainerRecord): string {
  const { image } = record.config;
  return imageIdOf(image) === record.imageId ? image : record.imageId;
}

function commandLine({ path, args }: ContainerRecord): string {
  return [path, ...args.map(arg => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}

/** Exposed ports show while the container runs, published ones with where they appear. */
export function portsOf(engine: Pick<Engine, 'networkController'>, record: ContainerRecord): PortSummary[] {
  if (!isUp(record.state.status) || record.hostConfig.networkMode === 'host') return [];
  const published = engine.networkController.publishedPorts(record.id);
  const keys = new Set([...record.config.exposedPorts, ...Object.keys(record.hostConfig.portBindings)]);
  const unpublished = [...keys]
    .map(splitPort)
    .filter(
      ({ port, protocol }) => !published.some(one => one.containerPort === port && one.protocol === protocol),
    )
    .map(({ port, protocol }) => ({ PrivatePort: port, Type: protocol }));
  return [...published.map(publishedToWire), ...unpublished].sort(
    (a, b) => a.PrivatePort - b.PrivatePort || Number(isIpv6(a)) - Number(isIpv6(b)),
  );
}

function isIpv6({ IP }: PortSummary): boolean {
  return IP?.includes(':') ?? false;
}

function publishedToWire(port: PublishedPort): PortSummary {
  return {
    IP: port.hostIp || '0.0.0.0',
    PrivatePort: port.containerPort,
    ...(port.hostPort === 0 ? {} : { PublicPort: port.hostPort }),
    Type: port.protocol,
  };
}

function networksOf(
  { networkController, version }: SummaryContext,
  record: ContainerRecord,
): Record<string, EndpointSettings> {
  const endpoints = new Map(
    networkController.endpointsOfContainer(record.id).map(endpoint => [endpoint.networkName, endpoint]),
  );
  return Object.fromEntries(
    Object.entries(record.endpoints).map(([name, request]) => {
      const networkId = networkController.find(name)?.id ?? '';
      const summary = endpointSummary(endpoints.get(name), request, networkId);
      return [
        name,
        (compareVersions(version, '1.44') < 0 ? summary : { ...summary, DNSNames: null }) as EndpointSettings,
      ];
    }),
  );
}

function endpointSummary(
  endpoint: Endpoint | undefined,
  request: EndpointRequest,
  networkId: string,
): Omit<EndpointSettings, 'DNSNames'> {
  return {
    IPAMConfig: ipamConfig(request),
    Links: null,
    Aliases: null,
    MacAddress: endpoint?.macAddress ?? '',
    DriverOpts: null,
    NetworkID: networkId,
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.gatewayIpv4 ?? '',
    IPAddress: endpoint?.ipv4?.address ?? '',
    IPPrefixLen: endpoint?.ipv4?.prefixLength ?? 0,
    IPv6Gateway: endpoint?.gatewayIpv6 ?? '',
    GlobalIPv6Address: endpoint?.ipv6?.address ?? '',
    GlobalIPv6PrefixLen: endpoint?.ipv6?.prefixLength ?? 0,
  };
}
