import type { Evidence, ReachEvidence } from './evidence.ts';
import type { Finding } from './finding.ts';
import { isLoopback, showSockets } from './ports.ts';

/** Why it cannot connect to another container. */
export function diagnoseReach(evidence: Evidence): Finding[] {
  const { reach, name, status } = evidence;
  if (reach === undefined) return [];
  const finding = (title: string, seen: string[], mend: string[]): Finding[] => [
    { check: 'reach', severity: 'problem', title, evidence: seen, mend },
  ];
  if (status !== 'running') return [];
  if (!reach.running)
    return finding(
      `${reach.name} does not run.`,
      [],
      [`gantry start ${reach.name}`, `gantry why ${reach.name}`],
    );
  if (evidence.network.mode === 'host' || evidence.network.mode === 'container') {
    return diagnoseListener(reach, finding);
  }
  if (reach.shared.length === 0) return noSharedNetwork(evidence, reach, finding);
  const open = reach.shared.filter(({ interContainer }) => interContainer);
  if (open.length === 0) {
    return finding(
      `Containers on network ${reach.shared[0]!.name} may not talk to each other.`,
      [
        `both are on ${reach.shared.map(shared => shared.name).join(', ')}, which has com.docker.network.bridge.enable_icc=false`,
      ],
      ['gantry network create app', `gantry update --network app ${name} ${reach.name}`],
    );
  }
  return [...diagnoseListener(reach, finding), ...noName(evidence, reach)];
}

type Tell = (title: string, seen: string[], mend: string[]) => Finding[];

function noSharedNetwork({ name }: Evidence, reach: ReachEvidence, finding: Tell): Finding[] {
  const network = reach.otherNetworks.find(one => one !== 'bridge');
  return finding(
    `The two are on no common network.`,
    [
      `${name} is on: ${reach.ownNetworks.join(', ') || 'none'}`,
      `${reach.name} is on: ${reach.otherNetworks.join(', ') || 'none'}`,
    ],
    network === undefined
      ? ['gantry network create app', `gantry update --network app ${name} ${reach.name}`]
      : [`gantry update --network ${network} ${name}`],
  );
}

function diagnoseListener(reach: ReachEvidence, finding: Tell): Finding[] {
  const tcp = reach.sockets.filter(({ protocol }) => protocol === 'tcp');
  const here = reach.port === undefined ? tcp : tcp.filter(({ port }) => port === reach.port);
  const seen = [`${reach.name} listens on: ${showSockets(reach.sockets)}`];
  if (here.some(({ address }) => !isLoopback(address))) return [];
  if (here.length > 0) {
    return finding(
      `${reach.name} listens on ${here[0]!.address} only, where no other container can connect.`,
      seen,
      [`gantry update -e HOST=0.0.0.0 ${reach.name}    # or whatever makes its program listen on 0.0.0.0`],
    );
  }
  const other = tcp.find(({ address }) => !isLoopback(address));
  return finding(
    `${reach.name} does not listen on ${reach.port === undefined ? 'any port' : `port ${reach.port}`}.`,
    seen,
    other === undefined
      ? [`gantry why ${reach.name}`, `gantry logs --tail 20 ${reach.name}`]
      : [`connect to port ${other.port} of ${reach.name}`],
  );
}

/** They can connect by address, but not by name. */
function noName({ name }: Evidence, reach: ReachEvidence): Finding[] {
  if (reach.shared.some(({ hasNames }) => hasNames)) return [];
  return [
    {
      check: 'reach',
      severity: 'problem',
      title: `${reach.name} has no name on the default network: ${name} reaches it by its address only.`,
      evidence: [`its address there is ${reach.shared[0]!.address}`],
      mend: ['gantry network create app', `gantry update --network app ${name} ${reach.name}`],
    },
  ];
}
