import { EngineError } from '../../stdx/errors.ts';
import { formatIp, type IpAddress, parseIp } from '../../stdx/ip.ts';
import type { HostSide, PortRule } from '../firewall/ruleset.ts';
import type { PortProtocol, PortRequest, PublishedPort } from '../network.ts';
import type { ProxyTarget } from './proxy.ts';

/** What one `-p` comes to on this host: the same port on each of the addresses. */
export interface PortPlan {
  containerPort: number;
  protocol: PortProtocol;
  hostAddresses: IpAddress[];
  /** Ports to try in order; undefined: any free one. */
  choices?: { first: number; last: number };
  asked: Pick<PortRequest, 'hostIp' | 'hostPort'>;
}

/** Where published ports lead to. */
export interface PortTarget {
  ipv4?: string;
  ipv6?: string;
}

/**
 * @param options.defaultHostIp where a port appears when the request names no address; 0.0.0.0 means IPv6 as well.
 * @throws invalid for an address or port that is none.
 */
export function planPort(
  request: PortRequest,
  options: { defaultHostIp: string; hasIPv6: boolean },
): PortPlan {
  const { containerPort, protocol, hostPort = '' } = request;
  return {
    containerPort,
    protocol,
    hostAddresses: hostAddresses(request.hostIp ?? '', options),
    choices: parseHostPort(hostPort),
    asked: { hostIp: request.hostIp, hostPort },
  };
}

/** What of a plan is not the host's affair: the container's own addresses of these families are open there. */
export function directPorts(plan: PortPlan, routed: readonly (4 | 6)[], target: PortTarget): PublishedPort[] {
  return plan.hostAddresses.flatMap(({ family }) => {
    const openAt = ownAddress(family, target);
    if (!routed.includes(family) || openAt === undefined) return [];
    const { containerPort, protocol, asked } = plan;
    const hostIp = family === 4 ? '0.0.0.0' : '::';
    return [{ containerPort, protocol, hostIp, hostPort: 0, openAt, asked }];
  });
}

/** What becomes of a container's ports when its way out is another network. */
export interface PortMove {
  /** Where they were, or at the container's new address. */
  kept: PublishedPort[];
  /** To be published again, as these families are routed on one of the two networks and translated on the other. */
  anew: { request: PortRequest; families: readonly (4 | 6)[] }[];
}

/** @param routed families of which containers are reached by their own addresses on the new network. */
export function planMove(
  ports: readonly PublishedPort[],
  routed: readonly (4 | 6)[],
  target: PortTarget,
): PortMove {
  const kept: PublishedPort[] = [];
  const anew = new Map<string, PortMove['anew'][number]>();
  for (const port of ports) {
    const { family } = hostSide(port);
    if (hasPlace(port, routed)) {
      const openAt = ownAddress(family, target);
      if (port.openAt === undefined) kept.push(port);
      else if (openAt !== undefined) kept.push({ ...port, openAt });
      continue;
    }
    const { containerPort, protocol } = port;
    const request = { containerPort, protocol, ...(port.asked ?? askedFor(port, ports)) };
    const others = ports.filter(other => isSame(other, port) && hasPlace(other, routed));
    // The container may have had no address of the other family there.
    const families = ([4, 6] as const).filter(one => others.every(other => hostSide(other).family !== one));
    // Both families of one request get the same port.
    anew.set(JSON.stringify(request), { request, families });
  }
  return { kept, anew: [...anew.values()] };
}

/** What a port on the host was asked for as. */
function askedFor(
  { hostIp, hostPort, ...port }: PublishedPort,
  all: readonly PublishedPort[],
): PortPlan['asked'] {
  const isEverywhere = ['0.0.0.0', '::'].every(address =>
    all.some(other => isSame(other, port) && other.hostIp === address && other.hostPort === hostPort),
  );
  return { hostIp: isEverywhere ? undefined : hostIp, hostPort: String(hostPort) };
}

function isSame(one: Pick<PublishedPort, 'containerPort' | 'protocol'>, other: typeof one): boolean {
  return one.containerPort === other.containerPort && one.protocol === other.protocol;
}

/** Whether a port is where ports of its family are with these modes. */
function hasPlace(port: PublishedPort, routed: readonly (4 | 6)[]): boolean {
  return (port.openAt !== undefined) === routed.includes(hostSide(port).family);
}

function ownAddress(family: 4 | 6, target: PortTarget): string | undefined {
  return family === 4 ? target.ipv4 : target.ipv6;
}

/** Where connections to a host address of this family go: IPv4-only containers are reached by IPv4 always. */
export function targetFor(family: 4 | 6, containerPort: number, target: PortTarget): ProxyTarget | undefined {
  const address = family === 4 ? target.ipv4 : (target.ipv6 ?? target.ipv4);
  return address === undefined ? undefined : { address, port: containerPort };
}

/** What the firewall has to do for a published port; undefined when the proxy alone serves it (IPv6 to IPv4). */
export function ruleFor(port: PublishedPort, target: PortTarget): PortRule | undefined {
  const host = hostSide(port);
  if (port.openAt !== undefined) return { ...host, address: port.openAt, containerPort: port.containerPort };
  const address = ownAddress(host.family, target);
  return address === undefined ? undefined : { ...host, address, containerPort: port.containerPort };
}

/** Where a published port is on the host, as the firewall sees it. */
export function hostSide({ protocol, hostIp, hostPort, openAt, containerPort }: PublishedPort): HostSide {
  if (openAt !== undefined) {
    return {
      protocol,
      family: parseIp(openAt)!.family,
      hostIp: openAt,
      hostPort: containerPort,
      direct: true,
    };
  }
  const host = parseIp(hostIp)!;
  return { protocol, family: host.family, ...(isWildcard(host) ? {} : { hostIp }), hostPort };
}

/** 0.0.0.0 or :: */
export function isWildcard(address: IpAddress): boolean {
  return address.value === 0n;
}

/** `0.0.0.0:8080`, `[::]:8080` */
export function showAddress(address: IpAddress, port: number): string {
  return address.family === 4 ? `${formatIp(address)}:${port}` : `[${formatIp(address)}]:${port}`;
}

function hostAddresses(
  asked: string,
  { defaultHostIp, hasIPv6 }: { defaultHostIp: string; hasIPv6: boolean },
): IpAddress[] {
  const text = asked === '' ? defaultHostIp : asked;
  const address = parseIp(text.replace(/^\[(.*)\]$/, '$1'));
  if (address === undefined) throw new EngineError('invalid', `invalid IP address in port mapping: ${text}`);
  const everywhere = asked === '' && address.family === 4 && isWildcard(address);
  return everywhere && hasIPv6 ? [address, { family: 6, value: 0n }] : [address];
}

/** `8080` or `8000-8010`. @returns undefined for any that is free ('' or `0`) @throws invalid */
export function parseHostPort(text: string): { first: number; last: number } | undefined {
  if (text === '' || text === '0') return undefined;
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? first);
  if (match === null || first < 1 || last > 65535 || first > last) {
    throw new EngineError('invalid', `invalid port specification: "${text}"`);
  }
  return { first, last };
}
