import type { PublishedPort } from '../../network/network.ts';
import type { Evidence, ListeningSocket } from './evidence.ts';
import type { Finding } from './finding.ts';

/** Why a connection to it from outside does not come to anything. */
export function diagnosePorts(evidence: Evidence): Finding[] {
  const { status, network } = evidence;
  if (status !== 'running') return [];
  const findings: Finding[] = [];
  if (network.firewallMended) findings.push(firewallMended());
  if (network.mode === 'host') return [...findings, ...diagnoseHost(evidence)];
  if (network.mode !== 'bridge') return [...findings, ...unreachableMode(evidence)];
  for (const port of containerPorts(network.published)) findings.push(...diagnosePublished(evidence, port));
  return [...findings, ...unpublished(evidence)];
}

interface ContainerPort {
  protocol: PublishedPort['protocol'];
  port: number;
  places: PublishedPort[];
}

/** IPv4 and IPv6 together. */
function containerPorts(published: readonly PublishedPort[]): ContainerPort[] {
  const ports = new Map<string, ContainerPort>();
  for (const place of published) {
    const key = `${place.containerPort}/${place.protocol}`;
    const known = ports.get(key);
    if (known === undefined) {
      ports.set(key, { protocol: place.protocol, port: place.containerPort, places: [place] });
    } else known.places.push(place);
  }
  return [...ports.values()];
}

function diagnosePublished(evidence: Evidence, { protocol, port, places }: ContainerPort): Finding[] {
  const { name, network } = evidence;
  if (protocol === 'sctp') return [];
  const sockets = network.sockets.filter(socket => socket.protocol === protocol);
  const here = sockets.filter(socket => socket.port === port);
  const outside = sockets.filter(socket => !isLoopback(socket.address));
  const attempt = network.attempts.find(tried => tried.port === port);
  const seen = [
    ...[...new Set(places.map(({ hostPort }) => hostPort))].map(
      hostPort => `port ${hostPort} of the host leads to its port ${port}/${protocol}`,
    ),
    `it listens on: ${showSockets(sockets)}`,
    ...(attempt === undefined
      ? []
      : [`a connection from the host to ${network.address}:${port} ${attempt.outcome}`]),
  ];
  const finding = (title: string, mend: string[]): Finding[] => [
    { check: 'ports', severity: 'problem', title, evidence: seen, mend },
  ];
  if (here.some(socket => !isLoopback(socket.address))) return [];
  if (here.length > 0) {
    return finding(
      `It listens on port ${port} on ${here[0]!.address} only, where nobody outside of it can connect.`,
      [
        `tell the program to listen on 0.0.0.0 (often HOST=0.0.0.0, --host 0.0.0.0 or --bind 0.0.0.0)`,
        `gantry update -e HOST=0.0.0.0 ${name}`,
      ],
    );
  }
  const hostPort = places[0]!.hostPort;
  if (outside.length > 0) {
    const right = outside[0]!.port;
    const suffix = protocol === 'tcp' ? '' : `/${protocol}`;
    return finding(
      `Port ${port} is published, but it listens on port ${outside.map(socket => socket.port).join(', ')}.`,
      [`gantry update --unpublish ${port}${suffix} -p ${hostPort}:${right}${suffix} ${name}`],
    );
  }
  return finding(`Nothing in it listens on port ${port}/${protocol}.`, [
    `gantry logs --tail 20 ${name}    # did the program come up?`,
    `gantry exec ${name} ps    # does it run?`,
  ]);
}

/** That nobody can reach it from outside is often meant so: a problem only when the user says which port he wants. */
function unpublished({ name, network }: Evidence): Finding[] {
  const { published, exposed, sockets, wantedPort } = network;
  if (wantedPort !== undefined) {
    const known = published.some(
      place => place.hostPort === wantedPort || place.containerPort === wantedPort,
    );
    if (known) return [];
    return [
      {
        check: 'ports',
        severity: 'problem',
        title: `Port ${wantedPort} is not published.`,
        evidence: [`published: ${showPublished(published)}`, `it listens on: ${showSockets(sockets)}`],
        mend: [`gantry update -p ${wantedPort}:${sockets.find(isReachable)?.port ?? wantedPort} ${name}`],
      },
    ];
  }
  if (published.length > 0) return [];
  const open = sockets.filter(
    socket =>
      isReachable(socket) && (exposed.length === 0 || exposed.includes(`${socket.port}/${socket.protocol}`)),
  );
  if (open.length === 0) return [];
  const ports = [
    ...new Set(open.map(({ port, protocol }) => (protocol === 'tcp' ? String(port) : `${port}/${protocol}`))),
  ];
  return [
    {
      check: 'ports',
      severity: 'note',
      title: `It listens on port ${ports.join(', ')}, which is not published: only containers on its networks can connect.`,
      evidence: [`it listens on: ${showSockets(sockets)}`],
      mend: [`gantry update ${ports.map(port => `-p ${port}:${port}`).join(' ')} ${name}`],
    },
  ];
}

function diagnoseHost({ network, name }: Evidence): Finding[] {
  const { wantedPort, sockets } = network;
  if (wantedPort === undefined || sockets.some(({ port }) => port === wantedPort)) return [];
  return [
    {
      check: 'ports',
      severity: 'problem',
      title: `Nothing on the host listens on port ${wantedPort}.`,
      evidence: ["it is on the network of the host: its ports are the host's, and are not published"],
      mend: [`gantry logs --tail 20 ${name}`],
    },
  ];
}

function unreachableMode({ network, name }: Evidence): Finding[] {
  if (network.mode !== 'none' || network.wantedPort === undefined) return [];
  return [
    {
      check: 'ports',
      severity: 'problem',
      title: 'It is on no network.',
      evidence: ['its network mode is none'],
      mend: [`gantry rm -f ${name}    # and run it again without --network none`],
    },
  ];
}

function firewallMended(): Finding {
  return {
    check: 'ports',
    severity: 'problem',
    title: 'Somebody had taken firewall rules away that lead to containers. They are back now.',
    evidence: ['rules were missing in the table of the daemon'],
    mend: ['nft monitor    # who does that? Often a firewall service that flushes all tables'],
  };
}

export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function isReachable({ protocol, address }: ListeningSocket): boolean {
  return protocol === 'tcp' && !isLoopback(address);
}

export function showSockets(sockets: readonly ListeningSocket[]): string {
  if (sockets.length === 0) return 'nothing';
  const shown = sockets.map(({ protocol, address, port }) => {
    const host = address.includes(':') ? `[${address}]` : address;
    return `${host}:${port}/${protocol}`;
  });
  return [...new Set(shown)].join(', ');
}

function showPublished(published: readonly PublishedPort[]): string {
  if (published.length === 0) return 'nothing';
  return published
    .map(({ hostPort, containerPort, protocol }) => `${hostPort}->${containerPort}/${protocol}`)
    .join(', ');
}
