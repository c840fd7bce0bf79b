import { parseSubnet } from '../../stdx/ip.ts';
import type { GatewayMode, Network, PortProtocol } from '../network.ts';
import { egressElements, egressRules, egressSets, type NamedAddress, planNamed } from './egress.ts';

/** Everything the firewall depends on. The ruleset is a function of it: `planRuleset` prints it. */
export interface FirewallState {
  /** Name of the table; family inet. */
  table: string;
  bridges: readonly FirewallBridge[];
  ports: readonly PortRule[];
  /** Families in which the host forwards for nobody but our bridges, and other people's. */
  closed: readonly (4 | 6)[];
  /** Link names of dockerd's bridges, where there is one. */
  strangers: readonly string[];
  /** Addresses of names on egress lists. */
  named: readonly NamedAddress[];
  /** The family whose packets pass as if there were no table. */
  spares?: 4 | 6 | undefined;
}

export interface FirewallBridge {
  linkName: string;
  subnets: readonly string[];
  internal: boolean;
  interContainer: boolean;
  masquerade: boolean;
  /** What its containers may reach outside by address; undefined: everything. */
  egressSubnets?: readonly string[];
  /** Absent: nat, by the address the kernel chooses. */
  ipv4?: FamilySettings;
  ipv6?: FamilySettings;
}

export interface FamilySettings {
  mode: GatewayMode;
  /** The host's address that containers are seen by. */
  source?: string;
}

/** The host's side of a published port. */
export interface HostSide {
  protocol: PortProtocol;
  family: 4 | 6;
  /** undefined: every address of the host. */
  hostIp?: string;
  hostPort: number;
  /** `hostIp` is the container's own address, and nothing is translated (gateway mode routed). */
  direct?: boolean;
}

/** One published port: what is sent to `hostIp:hostPort` goes to `address:containerPort`. */
export interface PortRule extends HostSide {
  address: string;
  containerPort: number;
}

/**
 * The whole table as one transaction: the old one goes and the new one comes in the same instant, so no packet sees
 * a host without rules. Connections already translated stay as they are: the kernel keeps them in its own table.
 *
 * The rules never change. Networks and ports are elements of sets and maps, so publishing costs the same with 10 or
 * with 10,000 ports, and a change is one small transaction (`planBridgeAdded`, `planPortsAdded`).
 */
export function planRuleset(state: FirewallState): string {
  const { table } = state;
  return [
    `table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    sets,
    egressSets,
    ...[rules, egressRules].map(text => sparing(text, state.spares)),
    '}',
    ...state.bridges.flatMap(bridge =>
      bridgeElements(bridge).map(element => `add element inet ${table} ${element}`),
    ),
    ...groupedPorts('add', table, state.ports),
    ...state.closed.map(family => `add element inet ${table} ${closedElement(family)}`),
    ...planStrangers(table, [], state.strangers),
    planNamed(table, state.named),
  ].join('\n');
}

/** Chains that are called see no packet that the hooks have let pass. */
function sparing(text: string, family: 4 | 6 | undefined): string {
  if (family === undefined) return text;
  return text.replaceAll('policy accept;', `policy accept;\n\t\tmeta nfproto ipv${family} accept`);
}

export function planBridgeAdded(table: string, bridge: FirewallBridge): string {
  return commands(bridgeElements(bridge).map(element => `add element inet ${table} ${element}`));
}

export function planBridgeRemoved(table: string, bridge: FirewallBridge): string {
  return commands(bridgeElements(bridge).map(element => `delete element inet ${table} ${element}`));
}

export function planWiresClosed(table: string, families: readonly (4 | 6)[]): string {
  return commands(families.map(family => `add element inet ${table} ${closedElement(family)}`));
}

/** Commands that make a set of these strangers out of that of those. */
export function planStrangers(table: string, before: readonly string[], after: readonly string[]): string[] {
  const command = (verb: 'add' | 'delete') => (name: string) =>
    `${verb} element inet ${table} ${strangerElement(name)}`;
  return [
    ...after.filter(name => !before.includes(name)).map(command('add')),
    ...before.filter(name => !after.includes(name)).map(command('delete')),
  ];
}

export function planPortsAdded(table: string, ports: readonly PortRule[]): string {
  return commands(groupedPorts('add', table, ports));
}

export function planPortsRemoved(table: string, ports: readonly PortRule[]): string {
  return commands(groupedPorts('delete', table, ports));
}

/** What a network means for the firewall; undefined for those without a bridge. */
export function firewallBridge(network: Network): FirewallBridge | undefined {
  const { bridge } = network;
  if (bridge === undefined) return undefined;
  const { gatewayModeIpv4, gatewayModeIpv6, sourceIpv4, sourceIpv6 } = bridge;
  return {
    linkName: bridge.linkName,
    subnets: network.ipam.pools.map(pool => pool.subnet),
    internal: network.internal,
    interContainer: bridge.interContainer,
    masquerade: bridge.masquerade && !network.internal,
    ipv4: familySettings(gatewayModeIpv4, sourceIpv4),
    ipv6: familySettings(gatewayModeIpv6, sourceIpv6),
    egressSubnets: bridge.egress?.subnets,
  };
}

function familySettings(mode?: GatewayMode, source?: string): FamilySettings | undefined {
  if (mode === undefined && source === undefined) return undefined;
  return { mode: mode ?? 'nat', ...(source === undefined ? {} : { source }) };
}

/** How many elements each set must hold: tells whether somebody else took some away. */
export function countElements(state: FirewallState): Record<string, number> {
  const counts: Record<string, number> = {};
  const elements = [
    ...state.bridges.flatMap(bridgeElements),
    ...state.ports.map(portElement),
    ...state.closed.map(closedElement),
    ...state.strangers.map(strangerElement),
  ];
  for (const element of elements) {
    const name = element.split(' ', 1)[0]!;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

const sets = `
	# Every bridge of ours; those whose containers may talk to each other, and those where they may not; those
	# that reach nothing outside.
	set bridges { type ifname; }
	set talking { type ifname . ifname; }
	set apart { type ifname; }
	set internal { type ifname; }
	# Bridges of a dockerd beside us.
	set strangers { type ifname; }
	# Families in which this host would forward nothing if the daemon had not switched it on.
	set closed { type nf_proto; }
	# Subnets that leave the host under the host's own address.
	set masqueraded4 { type ipv4_addr; flags interval; }
	set masqueraded6 { type ipv6_addr; flags interval; }
	# Subnets that leave the host under a certain address of it.
	map sources4 { type ipv4_addr : ipv4_addr; flags interval; }
	map sources6 { type ipv6_addr : ipv6_addr; flags interval; }
	# Bridges whose containers are reached by their own addresses from outside: by ICMP (gateway mode routed), and
	# by everything (nat-unprotected).
	set routed4 { type ifname; }
	set routed6 { type ifname; }
	set open4 { type ifname; }
	set open6 { type ifname; }
	# Ports that are open at their container's own address.
	set direct4 { type inet_proto . ipv4_addr . inet_service; }
	set direct6 { type inet_proto . ipv6_addr . inet_service; }
	# Bridge and its subnet: to know a container that reaches its own network by a published port.
	set own4 { type ifname . ipv4_addr; flags interval; }
	set own6 { type ifname . ipv6_addr; flags interval; }
	# Published ports: on one address of the host, and on all.
	map ports4 { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }
	map ports6 { type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service; }
	map anyports4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
	map anyports6 { type inet_proto . inet_service : ipv6_addr . inet_service; }`;

const rules = `
	# route_localnet is on for our bridges, so that 127.0.0.1 can be published: nothing on any wire may use it.
	chain guard {
		type filter hook prerouting priority raw; policy accept;
		ip daddr 127.0.0.0/8 iifname != "lo" drop
		ip saddr 127.0.0.0/8 iifname @bridges drop
	}
	chain publish {
		dnat ip to meta l4proto . ip daddr . th dport map @ports4
		dnat ip6 to meta l4proto . ip6 daddr . th dport map @ports6
		dnat ip to meta l4proto . th dport map @anyports4
		dnat ip6 to meta l4proto . th dport map @anyports6
	}
	# Where containers must not talk to each other their bridge ports are isolated, also from a translated packet
	# that br_netfilter would pass from port to port: the daemon's proxy takes their connections.
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		iifname @apart return
		meta l4proto { tcp, udp, sctp } fib daddr type local jump publish
	}
	# The host's own connections. IPv6 has no route_localnet: the daemon's proxy answers on ::1.
	chain output {
		type nat hook output priority -100; policy accept;
		ip6 daddr ::1 return
		meta l4proto { tcp, udp, sctp } fib daddr type local jump publish
	}
	# The host is a router now. From wire to wire it lets nothing pass unless it did so before; other people's bridges
	# (dockerd's, libvirt's) have rules of their own. All of a connection but its beginning ends at the first rule.
	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state established,related accept
		oifname @bridges jump inbound
		iifname @internal drop
		iifname @bridges oifname @strangers jump abroad
		iifname @bridges accept
		meta nfproto @closed iifname != @strangers oifname @strangers jump abroad
		meta nfproto @closed meta iifkind != "bridge" meta oifkind != "bridge" drop
	}
	# The rule that lets our containers out stands before dockerd's own ones, which keep others from its containers.
	# And a dockerd that finds a host forwarding already keeps nobody from them.
	chain abroad {
		ct status dnat accept
		drop
	}
	# Into a bridge: siblings, and what was published. Another network's containers come in by a
	# published port only; a neighbour on the LAN too, however it routes.
	chain inbound {
		iifname . oifname @talking accept
		iifname @internal drop
		oifname @internal drop
		ct status dnat accept
		meta l4proto . ip daddr . th dport @direct4 accept
		meta l4proto . ip6 daddr . th dport @direct6 accept
		oifname @routed4 meta l4proto icmp accept
		oifname @routed6 meta l4proto ipv6-icmp accept
		iifname != @bridges oifname @open4 meta nfproto ipv4 accept
		iifname != @bridges oifname @open6 meta nfproto ipv6 accept
		drop
	}
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ct status dnat oifname . ip saddr @own4 masquerade
		ct status dnat oifname . ip6 saddr @own6 masquerade
		oifname @bridges ip saddr 127.0.0.0/8 masquerade
		oifname != @bridges snat ip to ip saddr map @sources4
		oifname != @bridges snat ip6 to ip6 saddr map @sources6
		oifname != @bridges ip saddr @masqueraded4 masquerade
		oifname != @bridges ip6 saddr @masqueraded6 masquerade
	}`;

/** `set { element }` lines of one bridge. */
function bridgeElements(bridge: FirewallBridge): string[] {
  const link = `"${bridge.linkName}"`;
  const elements = [`bridges { ${link} }`];
  elements.push(bridge.interContainer ? `talking { ${link} . ${link} }` : `apart { ${link} }`);
  if (bridge.internal) elements.push(`internal { ${link} }`);
  elements.push(...egressElements(bridge.linkName, bridge.egressSubnets));
  for (const subnet of bridge.subnets) {
    const { family } = parseSubnet(subnet)!;
    const { mode = 'nat', source } = (family === 4 ? bridge.ipv4 : bridge.ipv6) ?? {};
    elements.push(`own${family} { ${link} . ${subnet} }`);
    if (!bridge.masquerade || mode === 'routed') continue;
    elements.push(
      source ? `sources${family} { ${subnet} : ${source} }` : `masqueraded${family} { ${subnet} }`,
    );
  }
  for (const family of [4, 6] as const) {
    const mode = (family === 4 ? bridge.ipv4 : bridge.ipv6)?.mode;
    if (mode === 'routed') elements.push(`routed${family} { ${link} }`);
    if (mode === 'nat-unprotected') elements.push(`open${family} { ${link} }`);
  }
  return elements;
}

function closedElement(family: 4 | 6): string {
  return `closed { ipv${family} }`;
}

function strangerElement(linkName: string): string {
  return `strangers { "${linkName}" }`;
}

function portElement(port: PortRule): string {
  const { protocol, family, hostIp, hostPort, address, containerPort, direct } = port;
  if (direct === true) return `direct${family} { ${protocol} . ${hostIp} . ${hostPort} }`;
  const target = `${address} . ${containerPort}`;
  return hostIp === undefined
    ? `anyports${family} { ${protocol} . ${hostPort} : ${target} }`
    : `ports${family} { ${protocol} . ${hostIp} . ${hostPort} : ${target} }`;
}

/** One command per map: the library parses and sends many elements of one command much faster. */
function groupedPorts(verb: 'add' | 'delete', table: string, ports: readonly PortRule[]): string[] {
  const groups = new Map<string, string[]>();
  for (const port of ports) {
    const [name = '', element = ''] = portElement(port).split(/ \{ | \}$/);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [element]);
    else group.push(element);
  }
  return [...groups].map(
    ([name, elements]) => `${verb} element inet ${table} ${name} { ${elements.join(', ')} }`,
  );
}

function commands(lines: string[]): string {
  return lines.map(line => `${line}\n`).join('');
}
