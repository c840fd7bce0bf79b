import type { Readable } from 'node:stream';
import { type CaptureOptions, capture } from '../network/capture/capture.ts';
import type { EgressView } from '../network/egress.ts';
import type { Network, NetworkRequest } from '../network/network.ts';
import { EngineError } from '../stdx/errors.ts';
import type { EndpointRequest } from './containers/config.ts';
import type { ContainerRecord } from './containers/container.ts';
import { connectEndpoint, namespacePathOf, writeNetworkFiles } from './containers/network.ts';
import { isUp } from './containers/stop.ts';
import type { EngineContext } from './context.ts';

export type EgressChange = { allow: readonly string[]; remove: readonly string[] } | 'unlimited';

export interface Egress {
  view: EgressView;
  /** The container that has an address of this network. */
  nameOf(address: string): string | undefined;
}

export interface NetworkUseCases {
  create(request: NetworkRequest): Promise<{ network: Network; warning: string }>;
  remove(ref: string): Promise<void>;
  connect(ref: string, containerRef: string, endpoint: EndpointRequest): Promise<void>;
  disconnect(ref: string, containerRef: string, options: { force: boolean }): Promise<void>;
  prune(matches: (network: Network) => boolean): Promise<{ deleted: string[] }>;
  /** Everything on its bridge, as a pcap file that grows. Errors: notFound, invalid (it has no bridge). */
  capture(ref: string, options: Omit<CaptureOptions, 'interfaceName' | 'promiscuous'>): Readable;
  /** What its containers may reach outside, and what was refused. Errors: notFound. */
  egress(ref: string): Egress;
  /** Errors: notFound (network, or an entry to be removed), invalid (entries; a network without a way out). */
  changeEgress(ref: string, change: EgressChange): Promise<Egress>;
}

export function networkUseCases(context: EngineContext): NetworkUseCases {
  const egress = (ref: string): Egress => {
    const network = context.network.get(ref);
    return {
      view: context.network.egressOf(network),
      nameOf: address => holderOf(context, network, address),
    };
  };
  const publish = (network: Network, action: string, attributes: Record<string, string> = {}) =>
    context.events.publish('network', action, network.id, {
      name: network.name,
      type: network.driver,
      ...attributes,
    });

  return {
    async create(request) {
      await context.network.settled();
      const network = context.network.create(request);
      publish(network, 'create');
      return { network, warning: '' };
    },
    async remove(ref) {
      const network = context.network.get(ref);
      await context.network.remove(ref);
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
    capture(ref, options) {
      const { name, driver, bridge } = context.network.get(ref);
      if (bridge === undefined)
        throw new EngineError(
          'invalid',
          `network ${name} has no bridge to listen on: its driver is ${driver}`,
        );
      return capture('/proc/self/ns/net', { ...options, interfaceName: bridge.linkName, promiscuous: true });
    },
    egress,
    async changeEgress(ref, change) {
      publish(context.network.changeEgress(ref, change), 'update');
      return egress(ref);
    },
    async prune(matches) {
      const unwanted = (network: Network) => matches(network) && !isWanted(context, network);
      const removed = await context.network.prune(unwanted);
      for (const network of removed) publish(network, 'destroy');
      context.events.publish('network', 'prune', '', { reclaimed: '0' });
      return { deleted: removed.map(network => network.name) };
    },
  };
}

/** The container that has an address at present. */
function holderOf(context: EngineContext, network: Network, address: string): string | undefined {
  return context.network
    .endpointsOf(network)
    .find(({ ipv4, ipv6 }) => ipv4?.address === address || ipv6?.address === address)?.containerName;
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
