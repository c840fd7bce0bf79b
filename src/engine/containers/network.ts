import type { Endpoint, EndpointOptions, PortProtocol, PortRequest } from '../../network/network.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import { bandwidthOf } from './bandwidth.ts';
import type { ContainerConfig, EndpointRequest, HostConfig } from './config.ts';
import type { ContainerRecord } from './container.ts';
import { writeContainerFiles } from './directory.ts';
import { presentMappings, rootOwner } from './user-namespace.ts';

/** Where a process's network namespace can be entered. */
export function namespacePathOf(pid: number): string {
  return `/proc/${pid}/ns/net`;
}

/** Whether the container has a network namespace of its own with links in it. */
export function hasOwnNetwork(record: ContainerRecord): boolean {
  const { networkMode } = record.hostConfig;
  return networkMode !== 'host' && !networkMode.startsWith('container:') && !record.config.networkDisabled;
}

/** Network namespaces of running containers (pid 0: does not run) that share one container's. */
export function namespacesOfSharers(
  containerId: string,
  containers: readonly { hostConfig: Pick<HostConfig, 'networkMode'>; pid: number }[],
): string[] {
  return containers
    .filter(({ hostConfig, pid }) => pid !== 0 && hostConfig.networkMode === `container:${containerId}`)
    .map(({ pid }) => namespacePathOf(pid));
}

/** Reserves addresses on all of the container's networks; the kernel does not change yet. */
export function allocateEndpoints(context: EngineContext, record: ContainerRecord): Endpoint[] {
  return Object.entries(record.endpoints).map(([network, request]) =>
    allocateEndpoint(context, record, network, request),
  );
}

function allocateEndpoint(
  context: EngineContext,
  record: ContainerRecord,
  network: string,
  request: EndpointRequest,
): Endpoint {
  return context.network.allocate(endpointOptions(context, record, network, request));
}

/** A container's place on a network as the network room wants it. */
export function endpointOptions(
  context: EngineContext,
  record: ContainerRecord,
  network: string,
  request: EndpointRequest,
): EndpointOptions {
  return {
    containerId: record.id,
    containerName: record.name,
    network,
    ipv4: request.ipv4Address,
    ipv6: request.ipv6Address,
    macAddress: request.macAddress ?? record.config.macAddress,
    gatewayPriority: request.gatewayPriority,
    driverOptions: request.driverOptions,
    linkLocalIps: request.linkLocalIps,
    aliases: request.aliases,
    links: linksOf(context, [...record.hostConfig.links, ...request.links], other =>
      requireLinkable(context, record, network, other),
    ),
    hostname: record.config.hostname,
    bandwidth: bandwidthOf(record.hostConfig),
  };
}

/**
 * `container:alias` lines, as alias -> container id.
 * @throws notFound, and what `check` does
 */
function linksOf(
  context: EngineContext,
  links: readonly string[],
  check: (other: { record: ContainerRecord; alias: string }) => void,
): Record<string, string> {
  const entries = links.map(link => {
    const [target = '', alias] = link.split(':', 2);
    const other = context.containers.get(target);
    check({ record: other, alias: alias ?? other.name });
    return [alias ?? other.name, other.id] as const;
  });
  return Object.fromEntries(entries);
}

/**
 * On the default network a link is a line in /etc/hosts, so that the other's address has to be known by then.
 * @throws conflict, in Docker's words
 */
function requireLinkable(
  context: EngineContext,
  { name }: ContainerRecord,
  network: string,
  other: { record: ContainerRecord; alias: string },
): void {
  if (context.network.find(network)?.name !== 'bridge') return;
  if (!('bridge' in other.record.endpoints)) {
    throw new EngineError(
      'conflict',
      `Cannot link to /${other.record.name}, as it does not belong to the default network`,
    );
  }
  if (other.record.state.pid !== 0) return;
  throw new EngineError(
    'conflict',
    `Cannot link to a non running container: /${other.record.name} AS /${name}/${other.alias}`,
  );
}

/** Gives the running process its links, addresses, routes, name server and published ports. */
export function connectNetworks(
  context: EngineContext,
  record: ContainerRecord,
  endpoints: Endpoint[],
  pid: number,
): void {
  const path = namespacePathOf(pid);
  for (const endpoint of endpoints) {
    context.network.connect(endpoint, path);
    if (endpoint.driver === 'null') continue;
    publishConnect(context, record, endpoint);
  }
  if (context.network.needsResolver(record.id)) {
    context.network.startResolver(record.id, path, record.hostConfig);
  }
  const ports = portRequests(record.config, record.hostConfig);
  if (ports.length > 0) context.network.publish(record.id, ports);
}

/** Puts a running container on one more network. */
export async function connectEndpoint(
  context: EngineContext,
  record: ContainerRecord,
  network: string,
  request: EndpointRequest,
  namespacePath: string,
): Promise<void> {
  const endpoint = allocateEndpoint(context, record, network, request);
  try {
    context.network.connect(endpoint, namespacePath);
  } catch (error) {
    context.network.releaseEndpoint(endpoint);
    throw error;
  }
  if (context.network.needsResolver(record.id)) {
    context.network.startResolver(record.id, namespacePath, record.hostConfig);
  }
  publishLate(context, record);
  publishConnect(context, record, endpoint);
}

/** The container may have had no way out by a bridge until now: then its ports are published with it. */
function publishLate(context: EngineContext, record: ContainerRecord): void {
  if (context.network.publishedPorts(record.id).length > 0) return;
  const ports = portRequests(record.config, record.hostConfig);
  if (ports.length > 0) context.network.publish(record.id, ports);
}

function publishConnect(context: EngineContext, record: ContainerRecord, endpoint: Endpoint): void {
  context.events.publish('network', 'connect', endpoint.networkId, {
    container: record.id,
    name: endpoint.networkName,
    type: endpoint.driver,
  });
}

/** /etc/hosts, /etc/hostname and /etc/resolv.conf as they must be for the endpoints the container has now. */
export function writeNetworkFiles(context: EngineContext, record: ContainerRecord): void {
  const { config, hostConfig } = record;
  const texts = context.network.filesFor({
    containerId: record.id,
    hostname: config.hostname,
    domainname: config.domainname,
    networkMode: hostConfig.networkMode,
    extraHosts: hostConfig.extraHosts,
    dns: hostConfig.dns,
    dnsSearch: hostConfig.dnsSearch,
    dnsOptions: hostConfig.dnsOptions,
  });
  writeContainerFiles(context, record.id, texts, rootOwner(presentMappings(context, record)));
}

/**
 * `-p` and `-P` as the network room wants them.
 * @throws invalid for ports that are none
 */
export function portRequests(config: ContainerConfig, hostConfig: HostConfig): PortRequest[] {
  const requests: PortRequest[] = [];
  for (const [port, bindings] of Object.entries(hostConfig.portBindings)) {
    const { containerPort, protocol } = parsePort(port);
    for (const binding of bindings.length === 0 ? [{ hostIp: '', hostPort: '' }] : bindings) {
      requests.push({ containerPort, protocol, hostIp: binding.hostIp, hostPort: binding.hostPort });
    }
  }
  if (!hostConfig.publishAllPorts) return requests;
  for (const port of config.exposedPorts) {
    if (port in hostConfig.portBindings) continue;
    requests.push({ ...parsePort(port), hostIp: '', hostPort: '' });
  }
  return requests;
}

/** `80/tcp`; without a protocol it is tcp. @throws invalid */
export function parsePort(text: string): { containerPort: number; protocol: PortProtocol } {
  const [number = '', protocol = 'tcp'] = text.split('/');
  const containerPort = Number(number);
  if (!/^\d+$/.test(number) || containerPort < 1 || containerPort > 65535) {
    throw new EngineError('invalid', `invalid port specification: "${text}"`);
  }
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') {
    throw new EngineError('invalid', `invalid port protocol in "${text}": want tcp, udp or sctp`);
  }
  return { containerPort, protocol };
}
