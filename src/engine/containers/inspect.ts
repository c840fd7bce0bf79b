import { dirname, join } from 'node:path';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerInspection, EndpointView } from '../engine.ts';
import type { EndpointRequest } from './config.ts';
import type { ContainerRecord } from './container.ts';
import { containerFiles } from './directory.ts';
import { shownLinks } from './links.ts';
import { portRequests } from './network.ts';
import { isUp } from './stop.ts';

export async function inspectContainer(
  context: EngineContext,
  ref: string,
  options: { size?: boolean } = {},
): Promise<ContainerInspection> {
  const record = context.containers.get(ref);
  const up = isUp(record) && record.state.pid !== 0;
  const merged = context.storage.snapshots.pathOf(record.id);
  const chainId = context.storage.snapshots.get(record.id)?.parent;
  const layers = chainId === undefined ? [] : context.storage.layers.chain(chainId);
  return {
    record,
    paths: containerFiles(context, record.id),
    execIds: context.execs.idsOf(record.id),
    mergedDirectory: merged,
    lowerDirectories: layers.map(layer => layer.directory).reverse(),
    upperDirectory: join(dirname(merged), 'upper'),
    workDirectory: join(dirname(merged), 'work'),
    sizes: options.size ? await containerSize(context, record) : undefined,
    networks: endpointViews(context, record),
    ports: portsOf(context, record),
    links: shownLinks(context.containers, record),
    sandboxId: up ? record.id : '',
    sandboxKey: up ? `/proc/${record.state.pid}/ns/net` : '',
  };
}

/** What the container wrote, and all that it sees. @throws notFound when it is removed meanwhile */
export async function containerSize(
  context: EngineContext,
  record: ContainerRecord,
): Promise<{ rwBytes: number; rootBytes: number }> {
  let rwBytes: number;
  try {
    rwBytes = await context.storage.snapshots.sizeOf(record.id);
  } catch (error) {
    if (record.state.status !== 'removing' && context.containers.find(record.id) === record) throw error;
    throw new EngineError('notFound', `No such container: ${record.id}`);
  }
  return { rwBytes, rootBytes: rwBytes + (context.images.get(record.imageId)?.sizeBytes ?? 0) };
}

/** Every network the container is on, or will be on when it runs; addresses only while it runs. */
export function endpointViews(context: EngineContext, record: ContainerRecord): EndpointView[] {
  const endpoints = context.network.endpointsOfContainer(record.id);
  return Object.entries(record.endpoints).map(([name, request]) => {
    const endpoint = endpoints.find(candidate => candidate.networkName === name);
    if (endpoint === undefined) return idleView(context, name, request);
    return {
      networkName: name,
      networkId: endpoint.networkId,
      endpointId: endpoint.id,
      macAddress: endpoint.macAddress,
      gateway: endpoint.gatewayIpv4 ?? '',
      ipAddress: endpoint.ipv4?.address ?? '',
      ipPrefixLength: endpoint.ipv4?.prefixLength ?? 0,
      ipv6Gateway: endpoint.gatewayIpv6 ?? '',
      globalIpv6Address: endpoint.ipv6?.address ?? '',
      globalIpv6PrefixLength: endpoint.ipv6?.prefixLength ?? 0,
      aliases: [...endpoint.aliases],
      dnsNames: [...endpoint.dnsNames],
      links: request.links,
      request,
    };
  });
}

function idleView(context: EngineContext, networkName: string, request: EndpointRequest): EndpointView {
  return {
    networkName,
    networkId: context.network.find(networkName)?.id ?? '',
    endpointId: '',
    macAddress: '',
    gateway: '',
    ipAddress: '',
    ipPrefixLength: 0,
    ipv6Gateway: '',
    globalIpv6Address: '',
    globalIpv6PrefixLength: 0,
    aliases: request.aliases,
    dnsNames: [],
    links: request.links,
    request,
  };
}

/** While it runs: published ports with their bindings, exposed ones with null. Otherwise nothing, as in Docker. */
export function portsOf(context: EngineContext, record: ContainerRecord): ContainerInspection['ports'] {
  if (!isUp(record) || !isOnBridge(context, record)) return {};
  const ports: ContainerInspection['ports'] = {};
  const known = [
    ...record.config.exposedPorts,
    ...portRequests(record.config, record.hostConfig).map(portName),
  ];
  for (const port of known) ports[port.includes('/') ? port : `${port}/tcp`] = null;
  for (const published of context.network.publishedPorts(record.id)) {
    const binding = {
      hostIp: published.hostIp,
      hostPort: published.hostPort === 0 ? '' : String(published.hostPort),
    };
    const name = portName(published);
    ports[name] = [...(ports[name] ?? []), binding];
  }
  return ports;
}

/** Other drivers publish nothing, and show nothing. */
function isOnBridge(context: EngineContext, record: ContainerRecord): boolean {
  return Object.keys(record.endpoints).some(name => context.network.find(name)?.bridge !== undefined);
}

function portName(port: { containerPort: number; protocol: string }): string {
  return `${port.containerPort}/${port.protocol}`;
}
