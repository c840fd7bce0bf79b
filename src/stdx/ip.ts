import { isIP } from 'node:net';

/** An IP address as a number: 32 or 128 bits, so that both families share all arithmetic. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** A subnet; `first` has no bit set outside of the prefix. */
export interface Subnet {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly prefixLength: number;
}

/** @returns undefined for anything that is no plain IPv4 or IPv6 address (zones like `%eth0` are none). */
export function parseIp(text: string): IpAddress | undefined {
  switch (isIP(text)) {
    case 4:
      return { family: 4, value: parseIpv4(text) };
    case 6:
      return text.includes('%') ? undefined : { family: 6, value: parseIpv6(text) };
    default:
      return undefined;
  }
}

/** The usual shortest text (RFC 5952 for IPv6). */
export function formatIp({ family, value }: IpAddress): string {
  return family === 4 ? formatIpv4(value) : formatIpv6(value);
}

/** `192.0.2.0/24`; bits outside of the prefix are cut off: see `parseInterface` for them. */
export function parseSubnet(text: string): Subnet | undefined {
  return parseInterface(text)?.subnet;
}

/** An address with its prefix, `192.0.2.7/24`: the address and the subnet it is in. */
export function parseInterface(text: string): { address: IpAddress; subnet: Subnet } | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const address = match === null ? undefined : parseIp(match[1]!);
  if (match === null || address === undefined) return undefined;
  const prefixLength = Number(match[2]);
  if (prefixLength > bitsOf(address.family)) return undefined;
  return { address, subnet: subnetOf(address, prefixLength) };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatIp({ family: subnet.family, value: subnet.first })}/${subnet.prefixLength}`;
}

export function subnetOf(address: IpAddress, prefixLength: number): Subnet {
  const hostBits = BigInt(bitsOf(address.family) - prefixLength);
  return { family: address.family, first: (address.value >> hostBits) << hostBits, prefixLength };
}

/** The last address: the broadcast address of an IPv4 subnet. */
export function lastOf(subnet: Subnet): bigint {
  return subnet.first + sizeOf(subnet) - 1n;
}

/** How many addresses it has. */
export function sizeOf(subnet: Subnet): bigint {
  return 1n << BigInt(bitsOf(subnet.family) - subnet.prefixLength);
}

export function contains(subnet: Subnet, address: IpAddress): boolean {
  return subnet.family === address.family && address.value >= subnet.first && address.value <= lastOf(subnet);
}

export function overlaps(one: Subnet, other: Subnet): boolean {
  return one.family === other.family && one.first <= lastOf(other) && other.first <= lastOf(one);
}

/** Whether `inner` lies inside `outer` (or is the same). */
export function encloses(outer: Subnet, inner: Subnet): boolean {
  return outer.family === inner.family && outer.first <= inner.first && lastOf(inner) <= lastOf(outer);
}

/** Network byte order: 4 or 16 bytes. */
export function ipBytes({ family, value }: IpAddress): Buffer {
  return Buffer.from(value.toString(16).padStart(family === 4 ? 8 : 32, '0'), 'hex');
}

/** @param bytes 4 or 16 of them, in network byte order. */
export function ipFromBytes(bytes: Buffer): IpAddress {
  return { family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${bytes.toString('hex')}`) };
}

export function bitsOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

/** 127.0.0.0/8 and ::1. */
export function isLoopback(address: IpAddress): boolean {
  return address.family === 4 ? address.value >> 24n === 127n : address.value === 1n;
}

function parseIpv4(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function formatIpv4(value: bigint): string {
  const number = Number(value);
  return `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`;
}

function parseIpv6(text: string): bigint {
  const [head = '', tail] = withoutDottedTail(text).split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...missing, ...after].reduce(
    (value, group) => (value << 16n) | BigInt(`0x${group}`),
    0n,
  );
}

/** `::ffff:192.0.2.1` -> `::ffff:c000:201` */
function withoutDottedTail(text: string): string {
  const colon = text.lastIndexOf(':');
  if (!text.includes('.')) return text;
  const value = parseIpv4(text.slice(colon + 1));
  return `${text.slice(0, colon + 1)}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    Number((value >> BigInt(112 - 16 * index)) & 0xffffn),
  );
  const run = longestZeroRun(groups);
  const text = (part: number[]) => part.map(group => group.toString(16)).join(':');
  if (run.length < 2) return text(groups);
  return `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`;
}

function longestZeroRun(groups: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  groups.forEach((group, index) => {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: index - length + 1, length };
  });
  return best;
}
