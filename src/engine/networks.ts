import type { Network, NetworkRequest } from '../network/network.ts';
import { EngineError } from '../stdx/errors.ts';
import type { EndpointRequest } from './containers/config.ts';
import type { ContainerRecord } from './containers/container.ts';
import { connectEndpoint, namespacePathOf, writeNetworkFiles } from './containers/network.ts';
import { isUp } from './containers/stop.ts';
import type { EngineContext } from './context.ts';

export interface NetworkUseCases {
  create(request: NetworkRequest): Promise<{ network: Network; warning: string }>;
  remove(ref: string): Promise<void>;
  connect(ref: string, containerRef: string, endpoint: EndpointRequest): Promise<void>;
  disconnect(ref: string, containerRef: string, options: { force: boolean }): Promise<void>;
  prune(matches: (network: Network) => boolean): Promise<{ deleted: string[] }>;
}

export function networkUseCases(context: EngineContext): NetworkUseCases {
  const publish = (network: Network, action: string, attributes: Record<string, string> = {}) =>
    context.events.publish('network', action, network.id, {
      name: network.name,
      type: network.driver,
      ...attributes,
    });

  return {
    async create(request) {
      const network = context.network.create(request);
      publish(network, 'create');
      return { network, warning: '' };
    },
    async remove(ref) {
      const network = context.network.get(ref);
      context.network.remove(ref);
      publish(network, 'destroy');
    },
    async connect(ref, containerRef, endpoint) {
      const record = context.containers.get(containerRef);
      const network = context.network.get(ref);
      await context.locks.run(record.id, () => connect(context, record, network, endpoint));
    },
    async disconnect(ref, containerRef, options) {
      const network = context.network.get(ref);
      const record = context.containers.find(containerRef);
      if (record === undefined && !options.force) context.containers.get(containerRef);
      if (record === undefined) throw new EngineError('notFound', `endpoint ${containerRef} not found`);
      await context.locks.run(record.id, () => disconnect(context, record, network));
      publish(network, 'disconnect', { container: record.id });
    },
    async prune(matches) {
      const removed = context.network.prune(network => matches(network) && !isWanted(context, network));
      for (const network of removed) publish(network, 'destroy');
      context.events.publish('network', 'prune', '', { reclaimed: '0' });
      return { deleted: removed.map(network => network.name) };
    },
  };
}

/** A stopped container keeps its networks, though it has no endpoint there. */
function isWanted(context: EngineContext, network: Network): boolean {
  return context.containers.list().some(record => isUp(record) && network.name in record.endpoints);
}

async function connect(
  context: EngineContext,
  record: ContainerRecord,
  network: Network,
  request: EndpointRequest,
): Promise<void> {
  requireJoinable(record, network);
  if (isUp(record) && network.name in record.endpoints) {
    throw new EngineError(
      'forbidden',
      `endpoint with name ${record.name} already exists in network ${network.name}`,
    );
  }
  // One that waits for its restart has no namespace to connect.
  if (record.state.pid !== 0) {
    await connectEndpoint(context, record, network.name, request, namespacePathOf(record.state.pid));
    record.endpoints[network.name] = request;
    writeNetworkFiles(context, record);
  } else {
    record.endpoints[network.name] = request;
  }
  context.containers.save(record);
}

/** @throws forbidden where a container shares a network namespace, or has none to put a link into */
export function requireJoinable(record: ContainerRecord, network: Network): void {
  const { networkMode } = record.hostConfig;
  if (networkMode.startsWith('container:')) {
    throw new EngineError(
      'forbidden',
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  }
  if (networkMode === 'host' || network.driver === 'host') {
    throw new EngineError(
      'forbidden',
      'container cannot be disconnected from host network or connected to host network',
    );
  }
  if (networkMode === 'none' || network.driver === 'null') {
    throw new EngineError(
      'forbidden',
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  }
}

function disconnect(context: EngineContext, record: ContainerRecord, network: Network): void {
  if (!(network.name in record.endpoints)) {
    throw new EngineError('forbidden', `container ${record.id} is not connected to network ${network.name}`);
  }
  if (record.hostConfig.networkMode === 'host') {
    throw new EngineError(
      'forbidden',
      'container cannot be disconnected from host network - host network should not be removed from container',
    );
  }
  delete record.endpoints[network.name];
  context.containers.save(record);
  if (record.state.pid === 0) return;
  for (const endpoint of context.network.endpointsOfContainer(record.id)) {
    if (endpoint.networkId !== network.id) continue;
    context.network.disconnect(endpoint, namespacePathOf(record.state.pid));
    context.network.releaseEndpoint(endpoint);
  }
  writeNetworkFiles(context, record);
}
