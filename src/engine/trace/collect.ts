import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { askNameServer, type NameAnswer } from '../../network/dns/ask.ts';
import type { Endpoint, Network } from '../../network/network.ts';
import {
  bridgePortOf,
  droppingChains,
  type PortSeen,
  type RouteSeen,
  routeFrom,
  tryToConnect,
} from '../../network/probe.ts';
import { EngineError } from '../../stdx/errors.ts';
import { contains, formatIp, parseIp, parseSubnet } from '../../stdx/ip.ts';
import type { ContainerRecord } from '../containers/container.ts';
import { containerFiles } from '../containers/directory.ts';
import { namespacePathOf } from '../containers/network.ts';
import type { EngineContext } from '../context.ts';
import { listeningSockets } from '../why/sockets.ts';
import type { NameSeen, Owner, PublishedSeen, TraceEvidence } from './evidence.ts';

export interface TraceTarget {
  /** A name or an address. */
  host: string;
  port?: number;
  protocol: 'tcp' | 'udp';
}

/** Looks at everything between a container and an address. Changes nothing, but for firewall rules that were missing. */
export async function collectTrace(
  context: EngineContext,
  record: ContainerRecord,
  to: TraceTarget,
): Promise<TraceEvidence> {
  if (record.state.pid === 0) throw new EngineError('conflict', `container ${record.name} is not running`);
  const namespacePath = namespacePathOf(record.state.pid);
  // Who shares another container's network has no endpoints of its own.
  const networkOwner = ownerOfNetwork(context, record);
  const endpoints = context.network.endpointsOfContainer(networkOwner.id);
  const given = parseIp(to.host);
  const name = given === undefined ? await lookUp(context, networkOwner, to.host, namespacePath) : undefined;
  const address = given === undefined ? name?.addresses[0] : formatIp(given);
  const owner = address === undefined ? undefined : findOwner(context, networkOwner, to, address);
  const route = address === undefined ? undefined : routeFrom(namespacePath, address);
  return {
    from: record.name,
    networks: endpoints.flatMap(endpoint => networkSeen(context.network.find(endpoint.networkId))),
    to,
    name,
    address,
    owner,
    route,
    egress: route === undefined ? undefined : egressOnTheWay(context, endpoints, route, address!),
    ports: route === undefined ? [] : portsOnTheWay(context, endpoints, route, address!),
    firewallMended: context.network.verify(),
    droppingChains: droppingChains(context.network.firewallTable),
    connection: await connection(namespacePath, to, address, route),
  };
}

function ownerOfNetwork(context: EngineContext, record: ContainerRecord): ContainerRecord {
  const { networkMode } = record.hostConfig;
  if (!networkMode.startsWith('container:')) return record;
  return context.containers.get(networkMode.slice('container:'.length));
}

function networkSeen(network: Network | undefined): TraceEvidence['networks'] {
  if (network === undefined || network.driver === 'host' || network.driver === 'null') return [];
  return [
    {
      name: network.name,
      internal: network.internal,
      interContainer: network.bridge?.interContainer ?? true,
      hasNames: !network.predefined,
      hasEgressList: network.bridge?.egress !== undefined,
    },
  ];
}

/** As a program in the container finds out: its /etc/hosts first, then the servers of its resolv.conf. */
async function lookUp(
  context: EngineContext,
  record: ContainerRecord,
  name: string,
  namespacePath: string,
): Promise<NameSeen> {
  const files = containerFiles(context, record.id);
  const servers = [...readText(files.resolvConf).matchAll(/^nameserver\s+(\S+)/gm)].map(match => match[1]!);
  const known = hostsOf(readText(files.hosts), name);
  const other = context.containers.find(name);
  const seen = {
    servers,
    container: other && {
      running: other.state.pid !== 0,
      networks: networkNames(context, other, () => true),
      namedNetworks: networkNames(context, other, network => !network.predefined),
    },
  };
  if (known.length > 0) return { ...seen, byHostsFile: true, addresses: known, outcome: '' };
  const answer = await firstAnswer(servers, name, namespacePath);
  return { ...seen, byHostsFile: false, addresses: answer.addresses, outcome: answer.outcome };
}

async function firstAnswer(
  servers: readonly string[],
  name: string,
  namespacePath: string,
): Promise<NameAnswer> {
  let last: NameAnswer = { answered: false, addresses: [], outcome: 'there is no name server' };
  for (const server of servers) {
    last = await askNameServer(server, name, namespacePath);
    if (last.answered) break;
  }
  return last;
}

/** Lines of hosts(5): an address, then names. */
function hostsOf(text: string, name: string): string[] {
  return text.split('\n').flatMap(line => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    return isIP(address) !== 0 && names.some(known => known.toLowerCase() === name.toLowerCase())
      ? [address]
      : [];
  });
}

function networkNames(
  context: EngineContext,
  record: ContainerRecord,
  matches: (network: Network) => boolean,
): string[] {
  return Object.keys(record.endpoints).filter(name => {
    const network = context.network.find(name);
    return network !== undefined && networkSeen(network).length > 0 && matches(network);
  });
}

function findOwner(
  context: EngineContext,
  from: ContainerRecord,
  { port, protocol }: TraceTarget,
  address: string,
): Owner {
  const ip = parseIp(address)!;
  const isOf = (endpoint: Endpoint) => [endpoint.ipv4?.address, endpoint.ipv6?.address].includes(address);
  const holder = context.containers
    .list()
    .find(({ id, state }) => state.pid !== 0 && context.network.endpointsOfContainer(id).some(isOf));
  const loopback = contains(parseSubnet('127.0.0.0/8')!, ip) || address === '::1';
  if (holder?.id === from.id || (loopback && from.hostConfig.networkMode !== 'host'))
    return { kind: 'itself', sockets: listeningSockets(from.state.pid) };
  if (holder !== undefined) {
    const endpoint = context.network.endpointsOfContainer(holder.id).find(isOf)!;
    const sockets = listeningSockets(holder.state.pid);
    return { kind: 'container', name: holder.name, network: endpoint.networkName, sockets };
  }
  if (context.network.isHostAddress(ip)) {
    const published = port === undefined ? undefined : findPublished(context, address, port, protocol);
    return { kind: 'host', published, sockets: listeningSockets(process.pid) };
  }
  const network = context.network
    .list()
    .find(({ ipam }) => ipam.pools.some(pool => contains(parseSubnet(pool.subnet)!, ip)));
  return network === undefined ? { kind: 'outside' } : { kind: 'nobody', network: network.name };
}

function findPublished(
  context: EngineContext,
  address: string,
  port: number,
  protocol: string,
): PublishedSeen | undefined {
  for (const record of context.containers.list()) {
    const match = context.network
      .publishedPorts(record.id)
      .find(
        one =>
          one.hostPort === port &&
          one.protocol === protocol &&
          (['0.0.0.0', '::', ''].includes(one.hostIp) || one.hostIp === address),
      );
    if (match === undefined || record.state.pid === 0) continue;
    const { hostPort, containerPort } = match;
    return { container: record.name, hostPort, containerPort, sockets: listeningSockets(record.state.pid) };
  }
  return undefined;
}

function egressOnTheWay(
  context: EngineContext,
  own: readonly Endpoint[],
  route: RouteSeen,
  address: string,
): TraceEvidence['egress'] {
  const first = own.find(({ interfaceName }) => interfaceName === route.linkName);
  const network = first && context.network.find(first.networkId);
  if (network?.bridge?.egress === undefined || isInside(network, address)) return undefined;
  return { network: network.name, allows: context.network.egressAllows(network, address) };
}

function isInside({ ipam }: Network, address: string): boolean {
  return ipam.pools.some(
    pool => pool.gateway !== address && contains(parseSubnet(pool.subnet)!, parseIp(address)!),
  );
}

function portsOnTheWay(
  context: EngineContext,
  own: readonly Endpoint[],
  route: RouteSeen,
  address: string,
): PortSeen[] {
  const first = own.find(({ interfaceName }) => interfaceName === route.linkName);
  const bridge = first && context.network.find(first.networkId)?.bridge;
  if (first === undefined || bridge === undefined) return [];
  const neighbour = context.network
    .endpointsOf({ id: first.networkId })
    .find(
      endpoint =>
        route.gateway === undefined &&
        endpoint.id !== first.id &&
        [endpoint.ipv4?.address, endpoint.ipv6?.address].includes(address),
    );
  return [first, ...(neighbour === undefined ? [] : [neighbour])].map(endpoint =>
    bridgePortOf(endpoint, bridge),
  );
}

async function connection(
  namespacePath: string,
  { port, protocol }: TraceTarget,
  address: string | undefined,
  route: RouteSeen | undefined,
): Promise<string | undefined> {
  if (address === undefined || route === undefined || port === undefined || protocol === 'udp')
    return undefined;
  return await tryToConnect(namespacePath, address, port);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Written at its first start; a container without has none.
    return '';
  }
}
