import type { NftObject } from '../../linux/nftables/nftables.ts';
import { parseSubnet } from '../../stdx/ip.ts';
import { outermostSubnets } from '../egress-list.ts';

/**
 * The part of the ruleset that holds containers to what their network's list allows (`egress-list.ts`). Subnets are
 * elements that stay; addresses of names come when a container was told them, and go by themselves. What is refused
 * is counted in sets that the rules fill: the kernel keeps the log, also while no daemon runs.
 */
export const egressSets = `
	# Bridges whose containers reach only what is listed; subnets, and addresses of names for as long as they hold.
	set limited { type ifname; }
	set listed4 { type ifname . ipv4_addr; flags interval; }
	set listed6 { type ifname . ipv6_addr; flags interval; }
	set named4 { type ifname . ipv4_addr; flags timeout; }
	set named6 { type ifname . ipv6_addr; flags timeout; }
	# What was refused: bridge, container, destination, protocol and port; and without ports.
	set refused4 { type ifname . ipv4_addr . ipv4_addr . inet_proto . inet_service; size 4096; flags dynamic,timeout; }
	set refused6 { type ifname . ipv6_addr . ipv6_addr . inet_proto . inet_service; size 4096; flags dynamic,timeout; }
	set portless4 { type ifname . ipv4_addr . ipv4_addr . inet_proto; size 1024; flags dynamic,timeout; }
	set portless6 { type ifname . ipv6_addr . ipv6_addr . inet_proto; size 1024; flags dynamic,timeout; }`;

export const egressRules = `
	# What a container asked for counts, not what a published port made of it.
	chain unlisted {
		iifname . ct original ip daddr @listed4 accept
		iifname . ct original ip daddr @named4 accept
		iifname . ct original ip6 daddr @listed6 accept
		iifname . ct original ip6 daddr @named6 accept
		meta l4proto { tcp, udp, sctp } update @refused4 { iifname . ip saddr . ct original ip daddr . meta l4proto . th dport timeout 1d counter } drop
		meta l4proto { tcp, udp, sctp } update @refused6 { iifname . ip6 saddr . ct original ip6 daddr . meta l4proto . th dport timeout 1d counter } drop
		update @portless4 { iifname . ip saddr . ct original ip daddr . meta l4proto timeout 1d counter } drop
		update @portless6 { iifname . ip6 saddr . ct original ip6 daddr . meta l4proto timeout 1d counter } drop
		drop
	}
	# Connections that began while they were allowed go on.
	chain egress {
		type filter hook forward priority filter - 1; policy accept;
		ct state established,related accept
		iifname . oifname @talking accept
		iifname @limited jump unlisted
	}
	# The host is outside, too; its neighbours have to be found all the same.
	chain egress_host {
		type filter hook input priority filter - 1; policy accept;
		ct state established,related accept
		iifname != @limited accept
		fib daddr type != local accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept
		jump unlisted
	}`;

/** Sets whose elements come and go without us. */
export const unsteadySets: ReadonlySet<string> = new Set([
  'named4',
  'named6',
  'refused4',
  'refused6',
  'portless4',
  'portless6',
]);

/** `set { element }` lines of one bridge. @param subnets undefined: its containers reach everything. */
export function egressElements(linkName: string, subnets: readonly string[] | undefined): string[] {
  if (subnets === undefined) return [];
  const link = `"${linkName}"`;
  return [
    `limited { ${link} }`,
    ...outermostSubnets(subnets).map(
      subnet => `listed${parseSubnet(subnet)!.family} { ${link} . ${subnet} }`,
    ),
  ];
}

/** An address that a container of the bridge was told for a name on the list. */
export interface NamedAddress {
  linkName: string;
  address: string;
  timeoutS: number;
}

/** Also for an address that is there already: its time begins anew. */
export function planNamed(table: string, named: readonly NamedAddress[]): string {
  const lines = named.flatMap(({ linkName, address, timeoutS }) => {
    const set = `element inet ${table} named${address.includes(':') ? 6 : 4}`;
    const key = `"${linkName}" . ${address}`;
    const added = `add ${set} { ${key} timeout ${timeoutS}s }\n`;
    return [added, `delete ${set} { ${key} }\n`, added];
  });
  return lines.join('');
}

/** Also for an address whose time was over just now. */
export function planNamedGone(table: string, named: readonly Omit<NamedAddress, 'timeoutS'>[]): string {
  const lines = named.flatMap(({ linkName, address }) => {
    const set = `element inet ${table} named${address.includes(':') ? 6 : 4}`;
    const key = `"${linkName}" . ${address}`;
    return [`add ${set} { ${key} timeout 1s }\n`, `delete ${set} { ${key} }\n`];
  });
  return lines.join('');
}

/** The elements of `named4` and `named6`, from a listing of the table. */
export function readNamed(listing: readonly NftObject[]): NamedAddress[] {
  return elementsOf(listing, /^named[46]$/).map(({ key, expires }) => ({
    linkName: String(key[0]),
    address: String(key[1]),
    timeoutS: Math.max(1, expires),
  }));
}

/** Packets of one kind that were refused. */
export interface RefusedFlow {
  linkName: string;
  /** The container's address. */
  source: string;
  destination: string;
  /** `tcp`, `icmp` ... */
  protocol: string;
  /** undefined where the protocol has none. */
  port?: number;
  packets: number;
  /** How long ago the last one was. */
  agoS: number;
}

export function readRefused(listing: readonly NftObject[]): RefusedFlow[] {
  return elementsOf(listing, /^(refused|portless)[46]$/).map(({ key, timeout, expires, packets }) => {
    const [linkName, source, destination, protocol, port] = key;
    return {
      linkName: String(linkName),
      source: String(source),
      destination: String(destination),
      protocol: String(protocol),
      port: port === undefined ? undefined : Number(port),
      packets,
      agoS: timeout - expires,
    };
  });
}

interface Element {
  key: unknown[];
  timeout: number;
  expires: number;
  packets: number;
}

/** Elements with their time and counter (libnftables-json(5)). */
function elementsOf(listing: readonly NftObject[], sets: RegExp): Element[] {
  return listing.flatMap(({ set }) => {
    if (set === undefined || !sets.test(String(set['name']))) return [];
    const elements = (set['elem'] ?? []) as {
      elem: {
        val: { concat: unknown[] };
        timeout?: number;
        expires?: number;
        counter?: { packets: number };
      };
    }[];
    return elements.map(({ elem: { val, timeout = 0, expires = 0, counter } }) => ({
      key: val.concat,
      timeout,
      expires,
      packets: counter?.packets ?? 0,
    }));
  });
}
