import type { Readable } from 'node:stream';
import { capture } from '../../network/capture/capture.ts';
import { EngineError } from '../../stdx/errors.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerRecord } from './container.ts';
import { namespacePathOf } from './network.ts';

export interface CaptureRequest {
  /** `eth0`, `lo`; undefined: that of the network. */
  interfaceName?: string;
  /** undefined: the network with the default route, or else its first. */
  network?: string;
  host?: string;
  port?: number;
  keptBytes?: number;
  count?: number;
}

/**
 * What a container sends and receives, as a pcap file that grows. It ends with the container.
 * @throws notFound, conflict (it does not run), invalid (it has no such network)
 */
export function captureContainer(
  context: EngineContext,
  ref: string,
  { interfaceName, network, ...options }: CaptureRequest,
): Readable {
  const record = context.containers.get(ref);
  if (record.state.pid === 0) throw new EngineError('conflict', `container ${record.name} is not running`);
  const packets = capture(namespacePathOf(record.state.pid), {
    ...options,
    interfaceName: interfaceName ?? interfaceOf(context, record, network),
  });
  const ended = new AbortController();
  packets.once('close', () => ended.abort());
  context.waits.wait(record, 'not-running', ended.signal).then(
    () => packets.finish(),
    // The capture has ended first, or the container was removed: its link goes with it.
    () => {},
  );
  return packets;
}

function interfaceOf(context: EngineContext, record: ContainerRecord, network: string | undefined): string {
  const endpoints = context.network.endpointsOfContainer(record.id);
  if (network === undefined) {
    const endpoint = context.network.gatewayEndpoint(record.id) ?? endpoints[0];
    if (endpoint !== undefined && endpoint.interfaceName !== '') return endpoint.interfaceName;
    throw new EngineError('invalid', `container ${record.name} has no link of its own: name an interface`);
  }
  const { id, name } = context.network.get(network);
  const endpoint = endpoints.find(one => one.networkId === id);
  if (endpoint !== undefined && endpoint.interfaceName !== '') return endpoint.interfaceName;
  throw new EngineError('invalid', `container ${record.name} has no link on network ${name}`);
}
