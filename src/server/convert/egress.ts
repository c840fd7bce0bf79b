import type { NetworkEgress, RefusedEgress } from '../../api/egress.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Egress } from '../../engine/networks.ts';

export function egressToWire({ view, nameOf }: Egress, engine: Pick<Engine, 'containers'>): NetworkEgress {
  const nowMs = Date.now();
  const names = new Map(engine.containers.list().map(({ id, name }) => [id, name]));
  const refused = [
    ...view.flows.map(flow => ({
      lastMs: nowMs - flow.agoS * 1000,
      Container: nameOf(flow.source) ?? flow.source,
      Destination: destinationOf(flow),
      Count: flow.packets,
    })),
    ...view.names.map(({ containerId, name, count, lastMs }) => ({
      lastMs,
      Container: names.get(containerId) ?? containerId.slice(0, 12),
      Destination: name,
      Count: count,
    })),
  ];
  return {
    Limited: view.list !== undefined,
    Allowed: [...(view.list?.names ?? []), ...(view.list?.subnets ?? [])],
    Addresses: view.named.map(({ name, address, expiresAtMs }) => ({
      Name: name,
      Address: address,
      Expires: new Date(expiresAtMs).toISOString(),
    })),
    Refused: refused
      .toSorted((one, other) => other.lastMs - one.lastMs)
      .map(({ lastMs, ...shown }): RefusedEgress => ({ ...shown, Last: new Date(lastMs).toISOString() })),
  };
}

function destinationOf({ destination, port, protocol }: Egress['view']['flows'][number]): string {
  if (port === undefined) return `${destination}/${protocol}`;
  return `${destination.includes(':') ? `[${destination}]` : destination}:${port}/${protocol}`;
}
