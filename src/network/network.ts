import type { IpvlanFlag, IpvlanMode, MacvlanMode } from '../linux/netlink/stacked-links.ts';
import type { NetworkConfiguration } from './config-networks.ts';
import type { EgressList } from './egress-list.ts';

/**
 * What a network is: the words of Docker's `network inspect`, in our own spelling. Values of these types are
 * never changed after they were made; an endpoint that changes is replaced by a new value.
 */
export type NetworkDriver = 'bridge' | 'host' | 'null' | 'macvlan' | 'ipvlan';

/** One subnet of a network. Addresses are text in their shortest usual form; a subnet is `172.18.0.0/16`. */
export interface IpamPool {
  subnet: string;
  /** The host's own address on the bridge; undefined only while nothing was chosen (`null` and `host` networks). */
  gateway?: string;
  /** Addresses are chosen from here when none is asked for; lies inside `subnet`. */
  ipRange?: string;
  /** Name -> address nobody may get (routers and the like). */
  auxAddresses?: Record<string, string>;
}

export interface Ipam {
  driver: string;
  options: Record<string, string>;
  pools: IpamPool[];
}

export interface Network {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  /** `null` is the driver of the network called `none`. */
  readonly driver: NetworkDriver;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly enableIPv6: boolean;
  /** No IPv4 at all. */
  readonly ipv6Only?: boolean;
  readonly ipam: Ipam;
  /** The caller chose the subnets: only then may containers ask for certain addresses, as in Docker. */
  readonly subnetsGiven: boolean;
  /** As given by the caller; `com.docker.network...` keys. */
  readonly options: Record<string, string>;
  readonly labels: Record<string, string>;
  /** bridge, host and none: made by the daemon, can never be removed. */
  readonly predefined: boolean;
  /** Only a configuration, for networks made with `configFrom`; the driver is `null` then. */
  readonly configuration?: NetworkConfiguration;
  /** Name of the network its configuration came from. */
  readonly configFrom?: string;
  /** What the options mean; for the driver `bridge`. */
  readonly bridge?: BridgeSettings;
  /** What the options mean; for the drivers `macvlan` and `ipvlan`. */
  readonly parent?: ParentSettings;
}

/** Whether containers on it have links and addresses of their own. */
export function hasLinks({ bridge, parent }: Network): boolean {
  return bridge !== undefined || parent !== undefined;
}

/** Whether containers on it may talk to each other; with `vepa` a switch on the wire decides. */
export function letsNeighboursTalk({ bridge, parent }: Network): boolean {
  if (bridge !== undefined) return bridge.interContainer;
  const { stacking } = parent ?? {};
  return (stacking?.kind === 'macvlan' ? stacking.mode : stacking?.flag) !== 'private';
}

export interface BridgeSettings {
  /** Name of the bridge link on the host: `gantry0`, `br-0123456789ab`. */
  linkName: string;
  /** Containers of this network may talk to each other (icc). */
  interContainer: boolean;
  masquerade: boolean;
  /** Where ports are published when the caller names no address. */
  hostBindingIpv4: string;
  /** undefined: the kernel's 1500. */
  mtu?: number;
  /** What its containers may reach outside; absent: everything. */
  egress?: EgressList;
  /** The default network has no embedded DNS and no names. */
  isDefault: boolean;
  /** Absent: nat. */
  gatewayModeIpv4?: GatewayMode;
  gatewayModeIpv6?: GatewayMode;
  /** The host's address that containers are seen by, where they are masqueraded; absent: the kernel chooses. */
  sourceIpv4?: string;
  sourceIpv6?: string;
  /** The gateway's IPv4 address is not put on the bridge: somebody else is the gateway. */
  inhibitIpv4?: boolean;
  /** What interfaces inside are called, before their number; absent: eth. */
  containerPrefix?: string;
}

/**
 * How a bridge is connected with the world: by the host's address (`nat`), also with everything that is not published
 * (`nat-unprotected`), by the containers' own addresses (`routed`), or not at all, the host included (`isolated`).
 */
export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated';

/** A link of the host upon which each container has its own; the host itself does not take part. */
export interface ParentSettings {
  /** `eth0`; `eth0.10`, made with the network when it was not there; `dm-0123456789ab` leads nowhere. */
  linkName: string;
  stacking: { kind: 'macvlan'; mode: MacvlanMode } | { kind: 'ipvlan'; mode: IpvlanMode; flag: IpvlanFlag };
  /** undefined: the parent's. */
  mtu?: number;
}

/** What `network create` asks for; everything but the name may be left out. */
export interface NetworkRequest {
  name: string;
  /** '' or undefined: bridge. */
  driver?: string;
  internal?: boolean;
  attachable?: boolean;
  ingress?: boolean;
  configOnly?: boolean;
  configFrom?: string;
  /** '' or `local`. */
  scope?: string;
  enableIPv4?: boolean;
  enableIPv6?: boolean;
  ipam?: {
    driver?: string;
    options?: Record<string, string>;
    pools?: { subnet?: string; gateway?: string; ipRange?: string; auxAddresses?: Record<string, string> }[];
  };
  options?: Record<string, string>;
  labels?: Record<string, string>;
}

/** An address with the length of its subnet's prefix, as interfaces carry it. */
export interface InterfaceAddress {
  address: string;
  prefixLength: number;
}

/** A container's place on a network. */
export interface Endpoint {
  /** 64 hex digits. */
  readonly id: string;
  readonly networkId: string;
  readonly networkName: string;
  readonly driver: NetworkDriver;
  readonly containerId: string;
  readonly containerName: string;
  /** '' on the networks `host` and `none`, and with ipvlan. */
  readonly macAddress: string;
  readonly ipv4?: InterfaceAddress;
  readonly ipv6?: InterfaceAddress;
  readonly gatewayIpv4?: string;
  readonly gatewayIpv6?: string;
  /** As the caller gave them, for inspect. */
  readonly aliases: readonly string[];
  /** Every name the embedded DNS answers with this endpoint: container name, short id, aliases, hostname. */
  readonly dnsNames: readonly string[];
  /** `--link`: other containers' names, as this container wants to call them (alias -> container name or id). */
  readonly links: Readonly<Record<string, string>>;
  /** Bigger wins the default route; the name decides between equals, as in Docker. */
  readonly gatewayPriority: number;
  /** `eth0` inside; '' until connected, and on `host` and `none`. */
  readonly interfaceName: string;
  /** `veth0123456` on the host; '' where nothing of the link is there: all drivers but `bridge`. */
  readonly hostLinkName: string;
  /** Absent: as fast as it goes. */
  readonly bandwidth?: Bandwidth;
  /** What the interface inside shall be called; absent: the next of its kind. */
  readonly wantedName?: string;
  /** `net.ipv4.conf.IFNAME.forwarding=1`, with the interface's name for IFNAME. */
  readonly sysctls?: readonly string[];
  /** Further addresses of the interface, nobody's but its own. */
  readonly linkLocalIps?: readonly string[];
}

/** As the container sees it: what it sends is `up`. 0: not limited. */
export interface Bandwidth {
  readonly upBitsPerSecond: number;
  readonly downBitsPerSecond: number;
}

export interface EndpointOptions {
  containerId: string;
  containerName: string;
  /** Name, id or id prefix. */
  network: string;
  ipv4?: string;
  ipv6?: string;
  macAddress?: string;
  aliases?: readonly string[];
  links?: Readonly<Record<string, string>>;
  /** The container's host name: on user-defined networks a DNS name too, when it is not the default (short id). */
  hostname?: string;
  gatewayPriority?: number;
  bandwidth?: Bandwidth;
  /** `com.docker.network.endpoint...` */
  driverOptions?: Readonly<Record<string, string>>;
  linkLocalIps?: readonly string[];
}

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

/** One `-p`: a container port and where it shall appear. */
export interface PortRequest {
  containerPort: number;
  protocol: PortProtocol;
  /** '' or undefined: every address of the host (or the network's host_binding_ipv4). */
  hostIp?: string;
  /** '' or undefined: a free port is chosen; `8000-8010`: the first free one of these; else one port. */
  hostPort?: string;
}

export interface PublishedPort {
  containerPort: number;
  protocol: PortProtocol;
  hostIp: string;
  /** 0 when it is not published on the host: with gateway mode routed. */
  hostPort: number;
  /** With gateway mode routed: the container's own address, where it is open to everybody. */
  openAt?: string;
  /** Beside `openAt`: where it was to be on the host, and is when the container moves to a network of mode nat. */
  asked?: Pick<PortRequest, 'hostIp' | 'hostPort'>;
}

/** Sums over all interfaces of a container but `lo`, by interface name (`docker stats`). */
export interface InterfaceStatistics {
  name: string;
  rxBytes: number;
  rxPackets: number;
  rxErrors: number;
  rxDropped: number;
  txBytes: number;
  txPackets: number;
  txErrors: number;
  txDropped: number;
}

/** A container the engine knows to be running when the daemon starts. */
export interface RunningContainer {
  containerId: string;
  /** `/proc/<pid>/ns/net` */
  namespacePath: string;
  /** As given to `startResolver`; undefined when the container has no embedded DNS. */
  resolver?: ResolverOptions;
}

/** What `--dns` and friends say for one container. */
export interface ResolverOptions {
  /** Upstream name servers; empty: the daemon's own `--dns`, or the host's. */
  dns: readonly string[];
  /** `--dns-option`, as `ndots:2`. */
  dnsOptions: readonly string[];
}

/** Whom the embedded name server asks for what no container is called. */
export interface Upstreams {
  servers: readonly string[];
  /**
   * Asked from inside of the container's network: somebody chose them for containers, so they are addresses as the
   * container has them, 127.0.0.1 too. The host's own servers are asked from the host's network.
   */
  inside: boolean;
}
