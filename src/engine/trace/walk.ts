import type { ListeningSocket } from '../why/evidence.ts';
import { isLoopback, showSockets } from '../why/ports.ts';
import type { TraceEvidence } from './evidence.ts';

/** One step of the way. */
export interface TraceStep {
  check: 'name' | 'address' | 'route' | 'bridge' | 'firewall' | 'listener' | 'connection';
  passes: boolean;
  /** One sentence. */
  said: string;
  /** What was seen, a line each. */
  seen: string[];
  /** Commands, or one sentence where no command mends it. */
  mend: string[];
}

/** Goes the way step by step; the first that does not pass is the last. */
export function walk(evidence: TraceEvidence): TraceStep[] {
  const steps: TraceStep[] = [];
  for (const take of [name, address, route, bridge, firewall, listener, connection]) {
    const step = take(evidence);
    if (step === undefined) continue;
    steps.push(step);
    if (!step.passes) break;
  }
  return steps;
}

type Take = (evidence: TraceEvidence) => TraceStep | undefined;
type Check = TraceStep['check'];

function passes(check: Check, said: string, seen: string[] = []): TraceStep {
  return { check, passes: true, said, seen, mend: [] };
}

function breaks(check: Check, said: string, seen: string[], mend: string[]): TraceStep {
  return { check, passes: false, said, seen, mend };
}

const name: Take = evidence => {
  const { name: looked, to, address: found } = evidence;
  if (looked === undefined) return undefined;
  if (found !== undefined) {
    const source = looked.byHostsFile ? 'its /etc/hosts' : looked.servers.join(', ');
    const others = looked.addresses.length > 1 ? [`all of them: ${looked.addresses.join(', ')}`] : [];
    return passes('name', `${to.host} is ${found}: ${source} says so.`, others);
  }
  const asked = `it asks ${looked.servers.join(', ') || 'nobody'}: ${looked.outcome}`;
  return looked.container === undefined
    ? breaks('name', `Nobody knows the name ${to.host}.`, [asked], unknownNameMends(evidence))
    : containerUnknown(evidence, looked.container, asked);
};

function unknownNameMends({ from, networks, name: looked, to }: TraceEvidence): string[] {
  const listed = networks.find(({ hasEgressList }) => hasEgressList);
  if (listed !== undefined && looked?.outcome === 'REFUSED')
    return [`gantry network egress --allow ${to.host} ${listed.name}    # which has a list`];
  if (networks.length > 0 && networks.every(({ internal }) => internal))
    return [`gantry network connect bridge ${from}    # if it may talk to the outside`];
  return [`gantry why --resolve ${to.host} ${from}`];
}

function containerUnknown(
  { from, to, networks }: TraceEvidence,
  other: NonNullable<NonNullable<TraceEvidence['name']>['container']>,
  asked: string,
): TraceStep {
  if (!other.running)
    return breaks('name', `The container ${to.host} does not run.`, [asked], [`gantry start ${to.host}`]);
  const seen = [
    asked,
    `${from} is on: ${networks.map(network => network.name).join(', ') || 'no network'}`,
    `${to.host} is on: ${other.networks.join(', ') || 'no network'}`,
  ];
  const [network] = other.namedNetworks;
  if (network !== undefined)
    return breaks('name', `The container ${to.host} is on another network.`, seen, [
      `gantry network connect ${network} ${from}`,
    ]);
  return breaks('name', 'On the default network containers have no names.', seen, [
    'gantry network create app',
    `gantry network connect app ${from}`,
    `gantry network connect app ${to.host}`,
  ]);
}

const address: Take = ({ address: found, owner }) => {
  switch (owner?.kind) {
    case undefined:
      return undefined;
    case 'itself':
      return passes('address', `${found} is the container itself.`);
    case 'container':
      return passes('address', `${found} is the container ${owner.name} on network ${owner.network}.`);
    case 'host':
      return passes('address', `${found} is the host.`);
    case 'outside':
      return passes('address', `${found} is outside of this host.`);
    case 'nobody':
      return breaks(
        'address',
        `No container has the address ${found}.`,
        [`it would be one of the network ${owner.network}`],
        [`gantry network inspect ${owner.network}    # who has which address`],
      );
  }
};

const route: Take = ({ from, route: taken, address: found, networks, owner }) => {
  if (taken === undefined) {
    const shown = networks.map(({ name, internal }) => (internal ? `${name} (internal)` : name));
    const network = owner?.kind === 'container' ? owner.network : 'bridge';
    return breaks(
      'route',
      `There is no way from ${from} to ${found}.`,
      [`${from} is on: ${shown.join(', ') || 'no network'}`],
      [`gantry network connect ${network} ${from}`],
    );
  }
  const { linkName, gateway, source, linkUp } = taken;
  const way = gateway === undefined ? `by ${linkName} directly` : `by ${linkName} over ${gateway}`;
  if (!linkUp)
    return breaks('route', `The way leads ${way}, but ${linkName} is down.`, [], [`gantry restart ${from}`]);
  return passes('route', `The way leads ${way}${source === undefined ? '' : `, from ${source}`}.`);
};

const bridge: Take = ({ ports }) => {
  const [first] = ports;
  if (first === undefined) return undefined;
  const faults = [...new Set(ports.flatMap(({ fault }) => fault ?? []))];
  if (faults.length > 0)
    return breaks('bridge', `The links of the host are not as they must be.`, faults, [
      'systemctl restart gantryd    # which makes them again; containers run on',
    ]);
  const links = [first.hostLinkName, first.bridgeName, ...ports.slice(1).map(port => port.hostLinkName)];
  return passes('bridge', `On the host it goes by ${links.join(' and ')}.`);
};

const firewall: Take = evidence => {
  const { from, to, owner, networks, egress, firewallMended } = evidence;
  const seen = firewallMended ? ['rules of Gantry were missing and have been put back'] : [];
  if (egress?.allows === false) {
    return breaks(
      'firewall',
      `Network ${egress.network} lets its containers reach only what is on its list.`,
      seen,
      [
        `gantry network egress --allow ${to.host} ${egress.network}`,
        `gantry network egress ${egress.network}    # the list, and what was refused`,
      ],
    );
  }
  if (owner?.kind === 'container') return betweenContainers(evidence, owner, seen);
  if (owner?.kind === 'host') {
    const { published } = owner;
    if (published === undefined) return passes('firewall', 'Gantry keeps nobody from the host.', seen);
    const { hostPort, container, containerPort } = published;
    if (networks.length > 0 && networks.every(({ internal }) => internal))
      return breaks('firewall', `Internal networks reach no published ports.`, seen, [
        `gantry network connect bridge ${from}    # if it may`,
      ]);
    return passes('firewall', `Port ${hostPort} leads to port ${containerPort} of ${container}.`, seen);
  }
  if (owner?.kind === 'outside') return passes('firewall', `Gantry lets ${from} out.`, seen);
  return undefined;
};

function betweenContainers(
  { from, route: taken, networks }: TraceEvidence,
  { name: other, network }: { name: string; network: string },
  seen: string[],
): TraceStep {
  const shared = networks.find(one => one.name === network);
  if (shared === undefined || taken?.gateway !== undefined) {
    return breaks(
      'firewall',
      'Containers of different networks do not reach each other by their addresses.',
      [...seen, `${from} is on: ${networks.map(one => one.name).join(', ')}`, `${other} is on: ${network}`],
      [`gantry network connect ${network} ${from}`],
    );
  }
  if (!shared.interContainer) {
    return breaks(
      'firewall',
      `Containers on network ${network} may not talk to each other.`,
      [...seen, 'it has com.docker.network.bridge.enable_icc=false'],
      [
        'gantry network create app',
        `gantry network connect app ${from}`,
        `gantry network connect app ${other}`,
      ],
    );
  }
  return passes('firewall', `Containers on network ${network} may talk to each other.`, seen);
}

const listener: Take = ({ owner, to: { port, protocol } }) => {
  if (port === undefined || owner === undefined || owner.kind === 'outside' || owner.kind === 'nobody')
    return undefined;
  if (owner.kind === 'host' && owner.published !== undefined) {
    const { container, containerPort, sockets } = owner.published;
    return listens(container, container, containerPort, protocol, sockets, false);
  }
  const container = owner.kind === 'container' ? owner.name : undefined;
  const who = container ?? (owner.kind === 'host' ? 'the host' : 'the container');
  return listens(who, container, port, protocol, owner.sockets, owner.kind === 'itself');
};

/** @param loopbackServes whether a socket on 127.0.0.1 is as good as any. */
function listens(
  who: string,
  container: string | undefined,
  port: number,
  protocol: string,
  sockets: readonly ListeningSocket[],
  loopbackServes: boolean,
): TraceStep {
  const there = sockets.filter(socket => socket.protocol === protocol && socket.port === port);
  if (there.some(socket => loopbackServes || !isLoopback(socket.address)))
    return passes('listener', `Somebody in ${who} listens: ${showSockets(there)}.`);
  const seen = [`${who} listens on: ${showSockets(sockets)}`];
  if (there.length > 0)
    return breaks(
      'listener',
      `${who} listens on ${there[0]!.address} only, where nobody else can connect.`,
      seen,
      [
        container === undefined
          ? 'Its program has to listen on 0.0.0.0.'
          : `gantry update -e HOST=0.0.0.0 ${container}    # or whatever makes its program listen on 0.0.0.0`,
      ],
    );
  return breaks(
    'listener',
    `Nobody in ${who} listens on port ${port}/${protocol}.`,
    seen,
    container === undefined ? [] : [`gantry why ${container}`, `gantry logs --tail 20 ${container}`],
  );
}

const connection: Take = ({ connection: outcome, from, to, owner, droppingChains }) => {
  if (outcome === undefined) return undefined;
  if (outcome === 'is accepted') return passes('connection', 'A connection is accepted.');
  const isSilent = outcome === 'gets no answer';
  const others = isSilent ? droppingChains.map(chain => `another firewall drops by default: ${chain}`) : [];
  const whose =
    owner?.kind === 'outside' ? `Whether ${to.host} is up and lets ${from} in is known there.` : '';
  return breaks(
    'connection',
    `A connection from ${from} to port ${to.port} ${outcome}.`,
    others,
    others.length > 0 ? ['nft list ruleset    # which rule drops it'] : whose === '' ? [] : [whose],
  );
};
