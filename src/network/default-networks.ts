import { randomBytes } from 'node:crypto';
import { EngineError } from '../stdx/errors.ts';
import { formatIp, formatSubnet, overlaps, parseInterface, parseSubnet, type Subnet } from '../stdx/ip.ts';
import { type PoolSource, planPools } from './ipam/pools.ts';
import type { IpamPool, Network } from './network.ts';
import { bridgeSettings, defaultBridgeOptions } from './options.ts';

export interface DefaultBridgeConfig {
  bip?: string;
  bridgeName: string;
  interContainer: boolean;
  masquerade: boolean;
  mtu?: number;
  hostBindingIpv4: string;
  pools: readonly PoolSource[];
}

export function newNetworkId(): string {
  return randomBytes(32).toString('hex');
}

/** The networks `host` and `none`: they have nothing but a name. */
export function plainNetwork(name: 'host' | 'none', createdAtMs: number): Network {
  return {
    id: newNetworkId(),
    name,
    createdAtMs,
    driver: name === 'host' ? 'host' : 'null',
    internal: false,
    attachable: false,
    enableIPv6: false,
    ipam: { driver: 'default', options: {}, pools: [] },
    subnetsGiven: false,
    options: {},
    labels: {},
    predefined: true,
  };
}

/**
 * The network `bridge` as the daemon's settings want it now.
 * @param before how it was at the last start: it keeps its id, and its subnet unless that cannot be any more.
 * @param inUse it has containers, so its subnet has to stay.
 */
export function planDefaultBridge(
  config: DefaultBridgeConfig,
  before: Network | undefined,
  inUse: boolean,
  surroundings: { networks: readonly Subnet[]; host: readonly Subnet[]; nowMs: number },
): Network {
  const settings = {
    ...bridgeSettings(
      {},
      { linkName: config.bridgeName, isDefault: true, hostBindingIpv4: config.hostBindingIpv4 },
    ),
    interContainer: config.interContainer,
    masquerade: config.masquerade,
    mtu: config.mtu,
  };
  const pools =
    before !== undefined && (inUse || stillFits(before, config, surroundings.host))
      ? before.ipam.pools
      : choosePools(config, surroundings);
  return {
    id: before?.id ?? newNetworkId(),
    name: 'bridge',
    createdAtMs: before?.createdAtMs ?? surroundings.nowMs,
    driver: 'bridge',
    internal: false,
    attachable: false,
    enableIPv6: false,
    ipam: { driver: 'default', options: {}, pools },
    subnetsGiven: config.bip !== undefined,
    options: defaultBridgeOptions(settings),
    labels: {},
    predefined: true,
    bridge: settings,
  };
}

function choosePools(
  config: DefaultBridgeConfig,
  { networks, host }: { networks: readonly Subnet[]; host: readonly Subnet[] },
): IpamPool[] {
  if (config.bip !== undefined) return [poolOfBip(config.bip)];
  return planPools([{}], { enableIPv6: false, networkId: '', sources: config.pools, networks, host });
}

/** The subnet of last time is kept as long as no setting and no route of the host speaks against it. */
function stillFits(before: Network, { bip }: DefaultBridgeConfig, host: readonly Subnet[]): boolean {
  const [pool] = before.ipam.pools;
  if (pool === undefined) return false;
  if (bip !== undefined) {
    const wanted = poolOfBip(bip);
    return wanted.subnet === pool.subnet && wanted.gateway === pool.gateway;
  }
  return !host.some(subnet => overlaps(subnet, parseSubnet(pool.subnet)!));
}

function poolOfBip(bip: string): IpamPool {
  const parsed = parseInterface(bip);
  if (parsed === undefined || parsed.address.family !== 4 || parsed.address.value === parsed.subnet.first) {
    throw new EngineError(
      'invalid',
      `invalid --bip "${bip}": want an address with its prefix, such as 172.17.0.1/16`,
    );
  }
  return { subnet: formatSubnet(parsed.subnet), gateway: formatIp(parsed.address) };
}
