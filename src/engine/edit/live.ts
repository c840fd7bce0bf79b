import { cpus } from 'node:os';
import type { PublishedPort } from '../../network/network.ts';
import type { ResourceInput } from '../../runtime/spec.ts';
import { bandwidthOf } from '../containers/bandwidth.ts';
import type { EndpointRequest, HostConfig } from '../containers/config.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { connectEndpoint, hasOwnNetwork, namespacePathOf, writeNetworkFiles } from '../containers/network.ts';
import { resourcesOf } from '../containers/spec-input.ts';
import type { EngineContext } from '../context.ts';
import type { EditEntry, EditedFields } from './edits.ts';
import type { EditPlan } from './plan.ts';

/** What is done to a container whose process stays. */
type RunningChange = Pick<EditPlan, 'changes' | 'ports' | 'networks'> & { after: EditedFields };

/**
 * Changes limits, networks and ports of a running container, and its row last; the caller holds its lock. What fails
 * brings all of it back. Clients connected through networks and ports that stay notice nothing.
 */
export async function changeRunning(
  context: EngineContext,
  record: ContainerRecord,
  change: RunningChange,
  entry: EditEntry,
): Promise<void> {
  const { after, ports, networks } = change;
  context.network.pinAddresses(placesOf(entry));
  try {
    if (change.changes.some(({ subject }) => subject === 'limit')) {
      await context.runtime.update(record.id, resourcesOf(after.hostConfig));
    }
    for (const name of networks.left) leaveNetwork(context, record, name);
    for (const [name, request] of Object.entries(networks.joined)) {
      await joinNetwork(context, record, name, request);
    }
    if (hasOwnNetwork(record)) {
      context.network.limitBandwidth(record.id, bandwidthOf(after.hostConfig));
      context.network.changePorts(record.id, publishedOn(context, record, ports.removed), ports.added);
    }
    context.edits.end(record.id, () => {
      Object.assign(record, after);
      context.containers.save(record);
    });
    if (entry.touchedNetworks.length > 0) writeNetworkFiles(context, record);
  } catch (error) {
    await bringBack(context, record, entry);
    context.edits.end(record.id);
    throw error;
  } finally {
    context.network.unpinAddresses(record.id);
  }
}

/**
 * Makes a running container agree again with what it was before a live change, however far that went. What cannot be
 * brought back is logged: the container runs on without it, and its next start has it again.
 */
export async function bringBack(
  context: EngineContext,
  record: ContainerRecord,
  entry: EditEntry,
): Promise<void> {
  Object.assign(record, entry.before);
  const attempt = async (doing: string, work: () => Promise<void> | void) => {
    try {
      await work();
    } catch (error) {
      context.log.error({ container: record.id, err: error, doing }, 'undoing a part of an edit failed');
    }
  };
  await attempt('limits', () => context.runtime.update(record.id, limitsOf(record.hostConfig)));
  if (!hasOwnNetwork(record)) return;
  for (const name of entry.touchedNetworks) {
    await attempt(`network ${name}`, async () => {
      leaveNetwork(context, record, name);
      const before = record.endpoints[name];
      if (before !== undefined) await joinNetwork(context, record, name, before);
    });
  }
  await attempt('bandwidth', () => context.network.limitBandwidth(record.id, bandwidthOf(record.hostConfig)));
  await attempt('ports', () => bringPortsBack(context, record, entry.ports));
  if (entry.touchedNetworks.length > 0) await attempt('files', () => writeNetworkFiles(context, record));
}

/** Published ports that lead to one of these container ports, `80/tcp`. */
export function publishedOn(
  context: EngineContext,
  record: ContainerRecord,
  containerPorts: readonly string[],
): PublishedPort[] {
  return context.network
    .publishedPorts(record.id)
    .filter(({ containerPort, protocol }) => containerPorts.includes(`${containerPort}/${protocol}`));
}

/** Where it was, as the network room wants it. */
export function placesOf({ containerId, places }: EditEntry) {
  return places.map(place => ({ ...place, containerId }));
}

function leaveNetwork(context: EngineContext, record: ContainerRecord, name: string): void {
  const endpoint = context.network
    .endpointsOfContainer(record.id)
    .find(({ networkName }) => networkName === name);
  if (endpoint === undefined) return;
  context.network.disconnect(endpoint, namespacePathOf(record.state.pid));
  context.network.releaseEndpoint(endpoint);
  context.events.publish('network', 'disconnect', endpoint.networkId, {
    container: record.id,
    name: endpoint.networkName,
    type: endpoint.driver,
  });
}

function joinNetwork(
  context: EngineContext,
  record: ContainerRecord,
  name: string,
  request: EndpointRequest,
): Promise<void> {
  return connectEndpoint(context, record, name, request, namespacePathOf(record.state.pid));
}

function bringPortsBack(
  context: EngineContext,
  record: ContainerRecord,
  before: readonly PublishedPort[],
): void {
  const key = ({ protocol, hostIp, hostPort, containerPort }: PublishedPort) =>
    `${protocol} ${hostIp} ${hostPort} ${containerPort}`;
  const now = context.network.publishedPorts(record.id);
  const [was, is] = [new Set(before.map(key)), new Set(now.map(key))];
  const removed = now.filter(port => !was.has(key(port)));
  const missing = before.filter(port => !is.has(key(port)));
  if (removed.length === 0 && missing.length === 0) return;
  const again = missing.map(port => ({
    ...port,
    hostPort: port.hostPort === 0 ? '' : String(port.hostPort),
  }));
  context.network.changePorts(record.id, removed, again);
}

/** All limits, those that are unset with the kernel's own value: an update leaves alone what it does not name. */
function limitsOf(hostConfig: HostConfig): ResourceInput {
  const limits = resourcesOf(hostConfig);
  const hasQuota = (limits.cpuQuotaUs ?? 0) > 0 || (limits.nanoCpus ?? 0) > 0;
  return {
    ...limits,
    memoryBytes: limits.memoryBytes || -1,
    memorySwapBytes: limits.memorySwapBytes || -1,
    memoryReservationBytes: limits.memoryReservationBytes || -1,
    cpuShares: limits.cpuShares || 1024,
    cpuPeriodUs: limits.cpuPeriodUs || 100_000,
    cpuQuotaUs: hasQuota ? limits.cpuQuotaUs : -1,
    cpusetCpus: limits.cpusetCpus || `0-${cpus().length - 1}`,
    pidsLimit: limits.pidsLimit ?? -1,
  };
}
