import type { Evidence, NameEvidence } from './evidence.ts';
import type { Finding } from './finding.ts';

type Lookup = NameEvidence['lookups'][number];

/** Why names do not lead it anywhere. */
export function diagnoseNames(evidence: Evidence): Finding[] {
  const { names } = evidence;
  if (names.embeddedAnswers === false) return [embeddedSilent(names)];
  const unresolved = names.lookups.filter(({ addresses }) => addresses.length === 0);
  return unresolved.map(lookup => {
    const { title, mend } = explain(evidence, lookup);
    return { check: 'names', severity: 'problem', title, evidence: seen(names, lookup), mend };
  });
}

function embeddedSilent({ servers }: NameEvidence): Finding {
  return {
    check: 'names',
    severity: 'problem',
    title: 'The name server inside of it, 127.0.0.11, does not answer.',
    evidence: [
      `it asks ${servers.join(', ')}`,
      'a question from inside of its network namespace got no answer',
    ],
    mend: ['systemctl restart gantryd    # which serves it; containers run on'],
  };
}

function seen({ servers, embedded, upstreams }: NameEvidence, lookup: Lookup): string[] {
  return [
    lookup.wanted
      ? `${lookup.name}: ${lookup.outcome}`
      : `its log complains of the name ${lookup.name}: ${lookup.outcome}`,
    `it asks ${servers.join(', ') || 'nobody'}${embedded ? ', where names of containers are known' : ': names of containers are not known there'}`,
    ...upstreams.map(
      ({ server, answers }) => `the name server ${server} ${answers ? 'answers' : 'does not answer'}`,
    ),
  ];
}

function explain(evidence: Evidence, { name }: Lookup): { title: string; mend: string[] } {
  const { names } = evidence;
  const networksOfOther = names.containers[name];
  if (networksOfOther !== undefined) return explainContainer(evidence, name, networksOfOther);
  if (!names.leadsOut) {
    return {
      title: `Names outside are not known on internal networks, and ${name} is one.`,
      mend: [`gantry network connect bridge ${evidence.name}    # if it may talk to the outside`],
    };
  }
  if (names.upstreams.length > 0 && names.upstreams.every(({ answers }) => !answers)) {
    return {
      title: `No name server answers, so that ${name} cannot be found.`,
      mend: [
        'gantryd --dns ADDRESS    # or "dns" in its configuration: servers for all containers',
        'cat /etc/resolv.conf    # the servers of the host, which are asked otherwise',
      ],
    };
  }
  return {
    title: `Nobody knows the name ${name}.`,
    mend: [
      `gantry network connect --alias ${name} NETWORK CONTAINER    # if a container shall have this name`,
    ],
  };
}

function explainContainer(
  { names, name: own }: Evidence,
  name: string,
  networksOfOther: readonly string[],
): { title: string; mend: string[] } {
  const [network] = networksOfOther;
  if (network !== undefined && !networksOfOther.some(one => names.networks.includes(one))) {
    return {
      title: `The container ${name} is on another network.`,
      mend: [`gantry update --network ${network} ${own}`],
    };
  }
  if (network === undefined) {
    return {
      title: `The container ${name} is on the default network, where containers have no names.`,
      mend: ['gantry network create app', `gantry update --network app ${own} ${name}`],
    };
  }
  return { title: `The container ${name} does not run.`, mend: [`gantry start ${name}`] };
}
