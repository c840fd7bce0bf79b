import type { NetworkContainer, Network as WireNetwork } from '../../api/networks.ts';
import { compareVersions } from '../../api/paths.ts';
import type { Endpoint, Network, NetworkRequest } from '../../network/network.ts';
import type { networkCreate } from './shapes.ts';
import { goTime } from './time.ts';

/** @param endpoints undefined: a list, which does not say who is connected */
export function networkToWire(
  network: Network,
  endpoints: readonly Endpoint[] | undefined,
  version: string,
): WireNetwork {
  const wire: WireNetwork = {
    Name: network.name,
    Id: network.id,
    Created: goTime(network.createdAtMs),
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: network.ipv6Only !== true,
    EnableIPv6: network.enableIPv6,
    IPAM: {
      Driver: network.ipam.driver,
      Options:
        Object.keys(network.ipam.options).length === 0 && network.predefined ? null : network.ipam.options,
      Config: network.ipam.pools.map(pool => ({
        Subnet: pool.subnet,
        ...(pool.ipRange === undefined ? {} : { IPRange: pool.ipRange }),
        ...(pool.gateway === undefined ? {} : { Gateway: pool.gateway }),
        ...(pool.auxAddresses === undefined ? {} : { AuxiliaryAddresses: pool.auxAddresses }),
      })),
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom ?? '' },
    ConfigOnly: network.configuration !== undefined,
    Containers: Object.fromEntries(
      (endpoints ?? []).map(endpoint => [endpoint.containerId, containerToWire(endpoint)]),
    ),
    Options: network.options,
    Labels: network.labels,
  };
  if (compareVersions(version, '1.48') < 0) Reflect.deleteProperty(wire, 'EnableIPv4');
  return wire;
}

function containerToWire(endpoint: Endpoint): NetworkContainer {
  const text = (address: Endpoint['ipv4']) =>
    address === undefined ? '' : `${address.address}/${address.prefixLength}`;
  return {
    Name: endpoint.containerName,
    EndpointID: endpoint.id,
    MacAddress: endpoint.macAddress,
    IPv4Address: text(endpoint.ipv4),
    IPv6Address: text(endpoint.ipv6),
  };
}

export function networkRequestFromWire(body: ReturnType<typeof networkCreate.read>): NetworkRequest {
  return {
    name: body.Name ?? '',
    driver: body.Driver,
    scope: body.Scope,
    internal: body.Internal,
    attachable: body.Attachable,
    ingress: body.Ingress,
    configOnly: body.ConfigOnly,
    configFrom: body.ConfigFrom?.Network || undefined,
    enableIPv4: body.EnableIPv4,
    enableIPv6: body.EnableIPv6,
    ipam:
      body.IPAM === undefined
        ? undefined
        : {
            driver: body.IPAM.Driver,
            options: body.IPAM.Options,
            pools: body.IPAM.Config?.map(pool => ({
              subnet: pool.Subnet || undefined,
              gateway: pool.Gateway || undefined,
              ipRange: pool.IPRange || undefined,
              auxAddresses: pool.AuxiliaryAddresses ?? pool.AuxAddress,
            })),
          },
    options: body.Options,
    labels: body.Labels,
  };
}
