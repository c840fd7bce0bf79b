import { randomBytes } from 'node:crypto';
import { EngineError } from '../stdx/errors.ts';
import { formatIp, formatSubnet, overlaps, parseInterface, parseSubnet, type Subnet } from '../stdx/ip.ts';
import type { NetworkConfig } from './config.ts';
import { type PoolRequest, type PoolSource, planPools } from './ipam/pools.ts';
import type { IpamPool, Network } from './network.ts';
import { bridgeSettings, defaultBridgeOptions } from './options.ts';

export interface DefaultBridgeConfig {
  addresses: BridgeAddresses;
  bridgeName: string;
  interContainer: boolean;
  masquerade: boolean;
  mtu?: number;
  hostBindingIpv4: string;
  pools: readonly PoolSource[];
}

/** What the daemon's settings say of the default bridge's addresses. */
export type BridgeAddresses = Pick<
  NetworkConfig,
  'bip' | 'bip6' | 'fixedCidr' | 'fixedCidr6' | 'defaultGateway' | 'defaultGateway6' | 'ipv6'
>;

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
 * What `--bridge=none` leaves of the network `bridge`: containers that name no network, or this one, have a loopback.
 * Clients do not see it.
 */
export function missingBridge(before: Network | undefined, nowMs: number): Network {
  const plain = plainNetwork('none', before?.createdAtMs ?? nowMs);
  return { ...plain, id: before?.id ?? plain.id, name: 'bridge' };
}

export function isMissingBridge({ name, driver }: Pick<Network, 'name' | 'driver'>): boolean {
  return name === 'bridge' && driver === 'null';
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
  const id = before?.id ?? newNetworkId();
  const ipv6 = config.addresses.ipv6 === true;
  const keeps =
    before?.bridge !== undefined && (inUse || stillFits(before, config.addresses, surroundings.host));
  const pools = keeps ? before.ipam.pools : choosePools(config, id, before, surroundings);
  return {
    id,
    name: 'bridge',
    createdAtMs: before?.createdAtMs ?? surroundings.nowMs,
    driver: 'bridge',
    internal: false,
    attachable: false,
    enableIPv6: keeps ? before.enableIPv6 : ipv6,
    ipam: { driver: 'default', options: {}, pools },
    subnetsGiven: config.addresses.bip !== undefined,
    options: defaultBridgeOptions(settings),
    labels: {},
    predefined: true,
    bridge: settings,
  };
}

function choosePools(
  { addresses, pools }: DefaultBridgeConfig,
  networkId: string,
  before: Network | undefined,
  { networks, host }: { networks: readonly Subnet[]; host: readonly Subnet[] },
): IpamPool[] {
  const { bip, bip6, fixedCidr, fixedCidr6, defaultGateway, defaultGateway6, ipv6 = false } = addresses;
  const sixth = [bip6, fixedCidr6, defaultGateway6].some(setting => setting !== undefined);
  if (sixth && !ipv6) {
    throw new EngineError('invalid', '--bip6, --fixed-cidr-v6 and --default-gateway-v6 need --ipv6');
  }
  const last = before === undefined || !fitsHost(before, host) ? {} : subnetOf(before);
  const request4 = poolRequest(4, { own: bip, range: fixedCidr, gateway: defaultGateway, otherwise: last });
  const request6 = poolRequest(6, { own: bip6, range: fixedCidr6, gateway: defaultGateway6 });
  if (defaultGateway6 !== undefined && request6.subnet === undefined) {
    throw new EngineError('invalid', '--default-gateway-v6 needs --bip6 or --fixed-cidr-v6');
  }
  const requests = ipv6 && request6.subnet !== undefined ? [request4, request6] : [request4];
  // What an administrator asks for is not looked at twice: it may be what the host's routes lead to.
  const others = request4.subnet === undefined ? networks : [];
  return planPools(requests, { enableIPv6: ipv6, networkId, sources: pools, networks: others, host });
}

/** @throws invalid, naming the setting */
function poolRequest(
  family: 4 | 6,
  settings: { own?: string; range?: string; gateway?: string; otherwise?: PoolRequest },
): PoolRequest {
  const { own, range, gateway, otherwise = {} } = settings;
  const suffix = family === 4 ? '' : '-v6';
  if (range !== undefined && parseSubnet(range)?.family !== family) {
    throw new EngineError(
      'invalid',
      `invalid --fixed-cidr${suffix} "${range}": want a subnet of IPv${family}`,
    );
  }
  const subnet: PoolRequest =
    own !== undefined ? poolOfBip(own, family) : range === undefined ? otherwise : { subnet: range };
  return {
    ...subnet,
    ...(range === undefined ? {} : { ipRange: range }),
    ...(gateway === undefined ? {} : { auxAddresses: { [`DefaultGatewayIPv${family}`]: gateway } }),
  };
}

/** The subnet of last time is kept as long as no setting and no route of the host speaks against it. */
function stillFits(before: Network, addresses: BridgeAddresses, host: readonly Subnet[]): boolean {
  const { ipv6, ...asked } = pickAddresses(addresses);
  if (Object.values(asked).some(value => value !== undefined)) return false;
  const usual = before.ipam.pools.every(({ ipRange, auxAddresses }) => !ipRange && !auxAddresses);
  return usual && !before.subnetsGiven && before.enableIPv6 === ipv6 && fitsHost(before, host);
}

function pickAddresses(config: BridgeAddresses): BridgeAddresses {
  const { bip, bip6, fixedCidr, fixedCidr6, defaultGateway, defaultGateway6, ipv6 = false } = config;
  return { bip, bip6, fixedCidr, fixedCidr6, defaultGateway, defaultGateway6, ipv6 };
}

function fitsHost(before: Network, host: readonly Subnet[]): boolean {
  const { subnet } = subnetOf(before);
  return subnet !== undefined && !host.some(other => overlaps(other, parseSubnet(subnet)!));
}

/** IPv4 comes first. */
function subnetOf({ ipam, subnetsGiven }: Network): PoolRequest {
  const [pool] = ipam.pools;
  if (pool === undefined || subnetsGiven || pool.ipRange !== undefined) return {};
  return { subnet: pool.subnet, gateway: pool.gateway };
}

function poolOfBip(bip: string, family: 4 | 6): PoolRequest {
  const parsed = parseInterface(bip);
  if (parsed?.address.family !== family || parsed.address.value === parsed.subnet.first) {
    const example =
      family === 4
        ? '--bip "X": want an address with its prefix, such as 172.17.0.1/16'
        : '--bip6 "X": want an address with its prefix, such as fd00:1::1/64';
    throw new EngineError('invalid', `invalid ${example.replace('X', bip)}`);
  }
  return { subnet: formatSubnet(parsed.subnet), gateway: formatIp(parsed.address) };
}
