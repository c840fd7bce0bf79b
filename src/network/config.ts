/** The daemon's settings of its networks; everything has a default. */
export interface NetworkConfig {
  /** Address and subnet of the default bridge, `172.17.0.1/16`; undefined: a free one is chosen, that first. */
  bip?: string;
  /** Its IPv6 address and subnet, `fd00:1::1/64`; undefined, with `ipv6`: a subnet of our own (ULA). */
  bip6?: string;
  /** Subnets that addresses on the default bridge are chosen from; without `bip` and `bip6` its subnets. */
  fixedCidr?: string;
  fixedCidr6?: string;
  /** The default routes of containers on the default bridge; undefined: the bridge's own addresses. */
  defaultGateway?: string;
  defaultGateway6?: string;
  /** Whether the default bridge has IPv6; false. */
  ipv6?: boolean;
  /** By driver, what new networks are given that their request does not say. */
  driverOptions?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Link name of the default bridge; `gantry0`. `none`: there is no default bridge. */
  bridgeName?: string;
  /** Docker's `default-address-pools`. */
  pools?: readonly { base: string; size: number }[];
  /** Name of the nftables table; two daemons in one network namespace need two. `gantry`. */
  firewallTable?: string;
  /** Whether containers on the default bridge may talk to each other; true. */
  interContainer?: boolean;
  /** Whether containers on the default bridge leave the host under its own address; true. */
  masquerade?: boolean;
  /** Whether there are firewall rules for IPv4; true. Without them proxies alone serve published ports there. */
  firewall?: boolean;
  /** The same for IPv6; true. */
  firewallForIPv6?: boolean;
  /** Whether the daemon answers on published ports where the kernel's rules do not reach (`[::1]`); true. */
  userlandProxy?: boolean;
  /** Whether the host is made to forward packets; true. */
  ipForward?: boolean;
  /** A host that forwards because of us forwards for everybody; false: for our bridges only. */
  ipForwardNoDrop?: boolean;
  /** MTU of the default bridge. */
  mtu?: number;
  /** Where ports are published when the caller names no address; 0.0.0.0. */
  hostBindingIpv4?: string;
  /** Daemon-wide `--dns`, `--dns-search`, `--dns-opt`: used when a container gives none. */
  dns?: readonly string[];
  dnsSearch?: readonly string[];
  dnsOptions?: readonly string[];
  /** Path of the host's resolv.conf; /etc/resolv.conf. */
  resolvConfPath?: string;
  /** What `host-gateway` stands for; undefined: the default bridge's own address. */
  hostGatewayIp?: string;
}

export const defaultBridgeName = 'gantry0';
export const defaultFirewallTable = 'gantry';
