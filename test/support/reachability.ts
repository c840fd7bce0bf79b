import { setTimeout as sleep } from 'node:timers/promises';
import type { NetworkController } from '../../src/network/controller.ts';
import { askTcp, makeNamespace, type Namespace, serveTcp } from './network-world.ts';

/** Somebody who asks and answers on port 80. */
export interface Party {
  name: string;
  /** undefined: the host itself. */
  namespace: Namespace | undefined;
  ipv4: string;
  ipv6: string;
  close(): void;
}

export function partyOf(
  name: string,
  namespace: Namespace | undefined,
  addresses: { ipv4: string; ipv6: string },
): Party {
  const server = serveTcp(namespace, 80, name);
  return {
    name,
    namespace,
    ...addresses,
    close() {
      server.close();
      namespace?.close();
    },
  };
}

let count = 0;

/** The container `plain1` on the network `plain`. */
export function runContainerOn(networks: NetworkController, network: string, number: number): Party {
  const name = `${network}${number}`;
  const namespace = makeNamespace();
  const containerId = (++count).toString(16).padStart(64, '0');
  const endpoint = networks.allocate({ containerId, containerName: name, network });
  const { ipv4, ipv6 } = networks.connect(endpoint, namespace.path);
  return partyOf(name, namespace, { ipv4: ipv4?.address ?? '', ipv6: ipv6?.address ?? '' });
}

/**
 * Asks everybody who is a column of `expected` from everybody who is a row, all at once, and prints what came of it
 * in the same form. A connection that is expected is asked for again while it does not come about: a busy machine may
 * need longer than others.
 */
export async function reachability(
  parties: readonly Party[],
  family: 'ipv4' | 'ipv6',
  expected: string,
): Promise<string> {
  const named = new Map(parties.map(party => [party.name, party]));
  const [head = '', ...rows] = expected.split('\n').slice(1, -1);
  const targets = head.trim().split(/ +/);
  const found = await Promise.all(
    rows.map(async row => {
      const [source = '', ...cells] = row.split(/ +/);
      const answers = await Promise.all(
        targets.map((target, index) =>
          reaches(named.get(source)!, named.get(target)!, family, cells[index] === 'x'),
        ),
      );
      const shown = answers.map((answer, index) => (answer ? 'x' : '.').padEnd(targets[index]!.length));
      return `${source.padEnd(head.length - head.trimStart().length)}${shown.join(' ')}`.trimEnd();
    }),
  );
  return ['', head, ...found, ''].join('\n');
}

const patienceMs = 60_000;

async function reaches(
  source: Party,
  target: Party,
  family: 'ipv4' | 'ipv6',
  expected: boolean,
): Promise<boolean> {
  const deadline = Date.now() + (expected ? patienceMs : 0);
  for (;;) {
    const answer = await askTcp(source.namespace, target[family], 80);
    if (answer.startsWith(`${target.name} `)) return true;
    if (Date.now() >= deadline) return false;
    await sleep(100);
  }
}
