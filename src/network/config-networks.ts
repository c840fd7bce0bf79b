import { EngineError } from '../stdx/errors.ts';
import { parseSubnet } from '../stdx/ip.ts';
import type { Network, NetworkRequest } from './network.ts';

/** What a network that is only a configuration for others keeps of its request. */
export type NetworkConfiguration = Pick<
  NetworkRequest,
  'ipam' | 'options' | 'labels' | 'internal' | 'attachable' | 'enableIPv4' | 'enableIPv6'
>;

/**
 * The request with what the network it names in `configFrom` says; without one the request itself.
 * @throws invalid, forbidden, in Docker's words
 */
export function withConfiguration(request: NetworkRequest, networks: readonly Network[]): NetworkRequest {
  const { configFrom = '', configOnly = false } = request;
  if (configFrom === '') return request;
  if (configOnly) {
    throw new EngineError(
      'forbidden',
      'a configuration network cannot depend on another configuration network',
    );
  }
  const source = networks.find(
    ({ name, configuration }) => name === configFrom && configuration !== undefined,
  );
  if (source?.configuration === undefined) {
    throw new EngineError('forbidden', `configuration network "${configFrom}" does not exist`);
  }
  if (hasConfiguration(request)) {
    throw new EngineError(
      'forbidden',
      'user specified configurations are not supported if the network depends on a configuration network',
    );
  }
  return { ...request, ...source.configuration };
}

/** Driver options, labels and subnets; flags that are off are as good as not given. */
function hasConfiguration({ ipam, options, labels, enableIPv6 }: NetworkRequest): boolean {
  const given = [options, labels, ipam?.options].some(entries => Object.keys(entries ?? {}).length > 0);
  return given || (ipam?.pools ?? []).length > 0 || enableIPv6 === true;
}

/** It has no links and takes no addresses; what it says counts when a network is made of it. @throws invalid */
export function configNetwork(request: NetworkRequest, id: string, createdAtMs: number): Network {
  const { name, ipam, options, labels, internal, attachable, enableIPv4, enableIPv6 } = request;
  for (const { subnet = '' } of ipam?.pools ?? []) {
    if (subnet !== '' && parseSubnet(subnet) === undefined)
      throw new EngineError('invalid', `invalid subnet ${subnet} : invalid CIDR address: ${subnet}`);
  }
  return {
    id,
    name,
    createdAtMs,
    driver: 'null',
    internal: internal ?? false,
    attachable: attachable ?? false,
    enableIPv6: enableIPv6 ?? false,
    ...(enableIPv4 === false ? { ipv6Only: true } : {}),
    ipam: {
      driver: 'default',
      options: {},
      pools: (ipam?.pools ?? []).flatMap(({ subnet, ...pool }) =>
        subnet === undefined ? [] : [{ subnet, ...pool }],
      ),
    },
    subnetsGiven: false,
    options: options ?? {},
    labels: labels ?? {},
    predefined: false,
    configuration: { ipam, options, labels, internal, attachable, enableIPv4, enableIPv6 },
  };
}
