import { BlockList, isIPv6 } from 'node:net';
import type { IpamConfig } from '../../api/networks.ts';
import { EngineError } from '../../stdx/errors.ts';

/**
 * One configuration per subnet; ranges, gateways and auxiliary addresses go to the subnet they lie in.
 * @throws invalid, in Docker's words
 */
export function planIpam(options: {
  subnets: readonly string[];
  ranges: readonly string[];
  gateways: readonly string[];
  auxiliary: Record<string, string>;
}): IpamConfig[] {
  const { subnets, ranges, gateways, auxiliary } = options;
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new EngineError('invalid', 'every ip-range or gateway must have a corresponding subnet');
  }
  const configs: IpamConfig[] = subnets.map(Subnet => ({ Subnet }));
  for (const [at, subnet] of subnets.entries()) {
    if (subnets.slice(0, at).some(other => contains(other, subnet) || contains(subnet, other))) {
      throw new EngineError('invalid', 'multiple overlapping subnet configuration is not supported');
    }
  }
  for (const range of ranges) {
    const config = owner(configs, range, `no matching subnet for range ${range}`);
    if (config.IPRange)
      throw new EngineError(
        'invalid',
        `cannot configure multiple ranges (${range}, ${config.IPRange}) on the same subnet (${config.Subnet})`,
      );
    config.IPRange = range;
  }
  for (const gateway of gateways) {
    const config = owner(configs, gateway, `no matching subnet for gateway ${gateway}`);
    if (config.Gateway)
      throw new EngineError(
        'invalid',
        `cannot configure multiple gateways (${gateway}, ${config.Gateway}) for the same subnet (${config.Subnet})`,
      );
    config.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(auxiliary)) {
    const config = owner(configs, address, `no matching subnet for aux-address ${address}`);
    config.AuxiliaryAddresses = { ...config.AuxiliaryAddresses, [name]: address };
  }
  return configs;
}

function owner(configs: readonly IpamConfig[], address: string, fault: string): IpamConfig {
  const config = configs.find(({ Subnet }) => contains(Subnet!, address));
  if (config === undefined) throw new EngineError('invalid', fault);
  return config;
}

/** @param address an address or a network in CIDR notation, of which the first address counts */
function contains(subnet: string, address: string): boolean {
  const [base = '', length = ''] = subnet.split('/');
  const family = isIPv6(base) ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  try {
    list.addSubnet(base, Number(length), family);
    return list.check(address.split('/')[0]!, family);
  } catch (cause) {
    throw new EngineError('invalid', `invalid subnet ${subnet}: invalid CIDR block notation`, { cause });
  }
}
