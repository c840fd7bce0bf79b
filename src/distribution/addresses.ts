import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Where clouds answer questions about a machine's own credentials; no registry's business. */
const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16);
linkLocal.addSubnet('fe80::', 10, 'ipv6');
linkLocal.addAddress('fd00:ec2::254', 'ipv6');
// 169.254.0.0/16 as NAT64 and 6to4 write it.
linkLocal.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');
linkLocal.addSubnet('2002:a9fe::', 32, 'ipv6');

export function isLoopbackHost(hostname: string): boolean {
  const host = withoutBrackets(hostname);
  return host === 'localhost' || contains(loopback, host);
}

/** @param address an IP address; names are never link-local, what they resolve to may be. */
export function isLinkLocal(address: string): boolean {
  return contains(linkLocal, withoutBrackets(address));
}

/** `[::1]` as URLs have it -> `::1`. */
export function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

/** @param network `10.0.0.0/8`; @returns undefined when the text is no network. */
export function parseNetwork(network: string): BlockList | undefined {
  const [address = '', length = ''] = network.split('/');
  const family = isIP(address);
  const bits = Number(length);
  if (family === 0 || !/^\d+$/.test(length) || bits > (family === 4 ? 32 : 128)) return undefined;
  const list = new BlockList();
  list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  return list;
}

/** An IPv4 address in its IPv6 clothes (`::ffff:169.254.0.1`) counts as what it is: BlockList sees to that. */
export function contains(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}
