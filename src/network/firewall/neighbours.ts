import type { NftObject } from '../../linux/nftables/nftables.ts';

/**
 * Living beside other firewalls. In nftables a `drop` is final and an `accept` ends one chain only, so our own
 * table cannot let a packet pass that another one drops: dockerd's and ufw's FORWARD chains have the policy DROP,
 * firewalld rejects at the end of its chain. They get two accept rules for each of our bridges, where Docker tells
 * its users to put theirs (DOCKER-USER, which dockerd never empties), or at the head of the chain itself.
 * What has to be dropped is dropped by our own table all the same.
 *
 * The rules are such as iptables-nft itself would write, so it goes on reading its tables.
 */
export function planNeighbours(
  chains: readonly ForeignChain[],
  bridges: readonly string[],
  comment: string,
): string[] {
  return chains.flatMap(chain => {
    const place = `${chain.family} ${chain.table} ${chain.name}`;
    const ours = chain.rules.filter(rule => rule.comment === comment);
    const wanted = bridges.flatMap(bridge => [`iifname "${bridge}"`, `oifname "${bridge}"`]);
    const present = new Set(ours.map(rule => rule.match));
    return [
      ...wanted
        .filter(match => !present.has(match))
        .map(match => `insert rule ${place} ${match} counter accept comment "${comment}"`),
      ...ours
        .filter(rule => !wanted.includes(rule.match))
        .map(rule => `delete rule ${place} handle ${rule.handle}`),
    ];
  });
}

/** A chain of somebody else's that would drop what our bridges forward, or that holds rules of ours. */
export interface ForeignChain {
  family: string;
  table: string;
  name: string;
  rules: readonly { handle: number; comment?: string; match: string }[];
}

/** Which chains need our rules, from `list chains`. */
export function chainsToOpen(listing: readonly NftObject[], ownTable: string): Omit<ForeignChain, 'rules'>[] {
  const chains = listing.flatMap(({ chain }) => (chain === undefined ? [] : [chain as unknown as NftChain]));
  return chains
    .filter(chain => chain.hook === 'forward' && !(chain.family === 'inet' && chain.table === ownTable))
    .filter(chain => forwardFamilies.has(chain.family) && (chain.policy === 'drop' || isFirewalld(chain)))
    .map(chain => {
      const { family, table } = chain;
      const user = chains.some(
        other => other.family === family && other.table === table && other.name === userChain,
      );
      return { family, table, name: user ? userChain : chain.name };
    });
}

/** Rules of one chain, from `list chain`. */
export function rulesOf(listing: readonly NftObject[]): ForeignChain['rules'] {
  return listing.flatMap(({ rule }) => {
    if (rule === undefined) return [];
    const { handle, comment, expr } = rule as unknown as NftRule;
    return [{ handle, comment, match: interfaceMatch(expr) }];
  });
}

interface NftChain {
  family: string;
  table: string;
  name: string;
  hook?: string;
  policy?: string;
}

interface NftRule {
  handle: number;
  comment?: string;
  expr: { match?: { left?: { meta?: { key?: string } }; right?: unknown } }[];
}

const userChain = 'DOCKER-USER';
const forwardFamilies: ReadonlySet<string> = new Set(['ip', 'ip6', 'inet']);

function isFirewalld(chain: NftChain): boolean {
  return chain.table === 'firewalld' && chain.name === 'filter_FORWARD';
}

function interfaceMatch(expressions: NftRule['expr']): string {
  const match = expressions.find(expression => expression.match?.left?.meta?.key?.endsWith('ifname'))?.match;
  return match === undefined ? '' : `${match.left?.meta?.key} "${String(match.right)}"`;
}
